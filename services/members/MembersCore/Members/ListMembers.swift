public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists the members of a subtree by member number, masked.
  public func listMembers(
    _ request: ListMembersRequest, context: ServerContext
  ) async throws -> ListMembersResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let range = try await subtree(of: request.ancestor, for: caller)
    let states = try Filter.values(request.states, "states", standard: MembershipState.live)
    let groups = try Filter.values(request.groups, "groups")
    guard request.residentID.isEmpty, request.memberNumber.isEmpty else {
      return try await found(request, states, groups, in: range)
    }
    let scope =
      ["ListMembers", caller.subject, range.first]
      + states.map { "state \($0.rawValue)" } + groups.map { "group \($0.rawValue)" }
    let after = try keys.pages.decode(request.pageToken, scope: scope)?.first ?? .text("")
    let (here, everywhere) = try await database.read(
      CounterStore.memberRows(of: range), CounterStore.members(of: PathRange(subtreeOf: "")))
    let wanted = here.filter { row in
      states.contains(row.state) && (groups.isEmpty || groups.contains(row.group))
    }
    guard !wanted.isEmpty else { return ListMembersResponse() }
    let plan = try await plan(
      states, in: range,
      passed: Self.passed(
        upTo: size + 1, of: wanted.reduce(0) { $0 + $1.members },
        among: everywhere.values.reduce(0, +)),
      here: here.reduce(into: [:]) { $0[$1.state, default: 0] += $1.members },
      everywhere: everywhere)
    let page = try await database.read(
      MemberStore.page(
        of: range, states: states, groups: groups, by: plan, after: after, limit: size + 1))
    var response = ListMembersResponse()
    response.members = try page.prefix(size).map { try $0.maskedMessage(keys) }
    if page.count > size {
      response.nextPageToken = try keys.pages.encode([page[size - 1].member.number], scope: scope)
    }
    return response
  }

  /// Returns the plan of a page that reads the fewest rows.
  ///
  /// - Parameters:
  ///   - passed: The number of members that are passed in the order of their numbers.
  ///   - here: The members of the subtree by state.
  ///   - everywhere: The members of the store by state.
  func plan(
    _ states: [MembershipState], in range: PathRange, passed: Int,
    here: [MembershipState: Int64], everywhere: [MembershipState: Int64]
  ) async throws -> MemberPlan {
    // An index leads from organizations to members in the states, unless active ones are asked for.
    let isIndexed = !states.contains(.active)
    let gathered = here.filter { !isIndexed || states.contains($0.key) }.values.reduce(0, +)
    let inStates = states.reduce(0) { $0 + everywhere[$1, default: 0] }
    let most = isIndexed ? min(passed, Int(inStates)) : passed
    let organizations = try await database.read(OrganizationStore.size(of: range, upTo: most))
    if organizations + Int(gathered) <= most { return .organizations }
    return most < passed ? .states : .numbers
  }

  /// Returns how many members of the store are passed in the order of their numbers, which are
  /// random, until a page is full of the wanted ones.
  static func passed(upTo limit: Int, of wanted: Int64, among all: Int64) -> Int {
    Int(min(all, all * Int64(limit) / max(wanted, 1)))
  }

  /// Returns the member with a resident ID or a number, if the other filters match.
  private func found(
    _ request: ListMembersRequest, _ states: [MembershipState], _ groups: [OccupationGroup],
    in range: PathRange
  ) async throws -> ListMembersResponse {
    var response = ListMembersResponse()
    if let known = try await lookedFor(request), known.managingPath.hasPrefix(range.first),
      states.contains(known.member.state),
      groups.isEmpty || groups.contains(known.member.group)
    {
      response.members = [try known.maskedMessage(keys)]
    }
    return response
  }

  private func lookedFor(_ request: ListMembersRequest) async throws -> KnownMember? {
    guard !request.residentID.isEmpty else {
      guard let number = MemberNumber(request.memberNumber) else {
        throw FieldFailure.invalidMemberNumber("member_number")
      }
      return try await database.read(MemberStore.byNumber(number.text))
    }
    let id = try ResidentID(checking: request.residentID, field: "resident_id")
    let known = try await database.read(
      MemberStore.byResidentID(keys.residentIDs.keyed(id.text)))?.member
    guard let known, !request.memberNumber.isEmpty else { return known }
    // If both are given, they must identify the same member.
    return MemberNumber(request.memberNumber)?.text == known.member.number ? known : nil
  }
}
