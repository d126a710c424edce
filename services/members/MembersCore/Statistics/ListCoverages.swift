public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists the coverages of the organizations directly below one, by external id.
  public func listCoverages(
    _ request: ListCoveragesRequest, context: ServerContext
  ) async throws -> ListCoveragesResponse {
    if case .unrecognized = request.group { throw FieldFailure.invalidValue("group") }
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let range = try await subtree(of: request.parent, for: caller, field: "parent")
    let scope =
      ["ListCoverages", caller.subject, range.first, String(request.group.rawValue)]
    let after = try keys.pages.decode(request.pageToken, scope: scope)?.first ?? .text("")
    let (rows, last) = try await coverages(
      below: range, request.group, after: after, limit: size)
    var response = ListCoveragesResponse()
    response.coverages = rows
    if let last { response.nextPageToken = try keys.pages.encode([last], scope: scope) }
    response.date = .day(ChinaDate(microseconds: clock.microseconds).daysSinceEpoch)
    return response
  }

  /// Returns a page of the coverages of the undissolved organizations directly below one, and the
  /// external id of its last row if there may be more. The figures of a page are one snapshot.
  func coverages(
    below range: PathRange, _ group: OccupationGroup, after externalID: SQLValue, limit: Int
  ) async throws -> (rows: [OrganizationCoverage], last: String?) {
    let children = try await database.read(
      OrganizationStore.children(of: range.organizationID, after: externalID, limit: limit + 1))
    let page = children.prefix(limit)
    let ids = page.map(\.id)
    let (members, bases, targets) = try await database.read(
      CounterStore.memberRows(of: ids, below: range), CoverageStore.newestBases(of: ids, group),
      CoverageStore.targets(of: ids, group))
    let base = Dictionary(uniqueKeysWithValues: bases.map { ($0.organizationID, $0) })
    let target = Dictionary(uniqueKeysWithValues: targets.map { ($0.organizationID, $0) })
    let rows = page.map { organization in
      organization.coverage(
        members[organization.id] ?? [], of: group, base: base[organization.id],
        target: target[organization.id])
    }
    return (rows, children.count > limit ? page.last?.externalID : nil)
  }
}

extension StoredOrganization {
  func coverage(
    _ rows: [CounterStore.MemberRow], of group: OccupationGroup, base: StoredBase?,
    target: StoredTarget?
  ) -> OrganizationCoverage {
    let figures = CoverageFigures(rows, of: group, base: base, target: target)
    var message = OrganizationCoverage()
    message.organization = "organizations/\(id)"
    message.externalID = externalID
    message.organizationName = displayName
    message.members = figures.coverage.members
    message.retainedMembers = figures.retained
    message.onlineMembers = figures.online
    message.base = base?.message
    message.coverageBasisPoints = figures.coverage.basisPoints
    message.target = target?.message
    message.peopleNeeded = figures.coverage.peopleNeeded
    return message
  }
}
