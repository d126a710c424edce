public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists pool cases by due date.
  public func listPoolCases(
    _ request: ListPoolCasesRequest, context: ServerContext
  ) async throws -> ListPoolCasesResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let filter: PoolCaseStore.Filter
    let subject: String
    if !request.receiver.isEmpty {
      subject = try await organization(request.receiver, field: "receiver", for: caller)
      filter = .receiver(subject)
    } else if !request.custodian.isEmpty {
      subject = try await organization(request.custodian, field: "custodian", for: caller)
      filter = .custodian(subject)
    } else {
      let range = try await subtree(of: request.ancestor, for: caller)
      subject = range.first
      filter = .pools(range)
    }
    let states = try Filter.values(request.states, "states", standard: [.waiting, .assigned])
    let kind = request.receiver.isEmpty ? request.custodian.isEmpty ? "pools" : "kept" : "received"
    let scope =
      ["ListPoolCases", caller.subject, kind, subject, "\(request.overdue)"]
      + states.map { "\($0.rawValue)" }
    let after = try ListPlace(keys.pages.decode(request.pageToken, scope: scope))
    let today = ChinaDate(microseconds: clock.microseconds).daysSinceEpoch
    var page: [PlacedPoolCase] = []
    for part in PoolCaseStore.parts(of: states) {
      page += try await cases(
        of: filter, part, overdueOn: request.overdue ? today : nil, after: after, limit: size + 1)
    }
    page.sort { $0.poolCase.isListed(before: $1.poolCase) }
    var response = ListPoolCasesResponse()
    response.poolCases = page.prefix(size).map { $0.message($0.poolCase) }
    if page.count > size {
      let last = page[size - 1].poolCase
      response.nextPageToken = try keys.pages.encode(
        [last.progress.dueDay, last.id], scope: scope)
    }
    return response
  }

  /// Reads a page of cases in states of one part.
  private func cases(
    of filter: PoolCaseStore.Filter, _ states: [PoolCaseState], overdueOn day: Int?,
    after: ListPlace, limit: Int
  ) async throws -> [PlacedPoolCase] {
    let page = { (filter: PoolCaseStore.Filter) in
      PoolCaseStore.page(of: filter, states: states, overdueOn: day, after: after, limit: limit)
    }
    guard case .pools(let range, _, _) = filter else {
      return try await database.read(page(filter))
    }
    return try await orderedPage(
      of: range, limit: limit, PoolCaseStore.rows(states),
      { PoolCaseStore.place(after: after, overdueOn: day, skipping: $0) },
      { page(.pools(range, by: $0, before: $1)) })
  }

  /// Returns the identifier of an organization by which a list is filtered.
  ///
  /// - Throws: ``CommonFailure/outOfScope`` if it is unknown or not in the caller's subtree.
  func organization(
    _ name: String, field: String, for caller: Caller
  ) async throws -> String {
    let id = try ResourceName.parse(name, collection: "organizations", field: field)
    let (scope, organization) = try await database.read(
      StaffScope.query(of: caller), OrganizationStore.byID(id))
    guard let organization, scope.holds(organization.path) else { throw CommonFailure.outOfScope }
    return id
  }
}

extension StoredPoolCase {
  /// Whether the case is before another one in a list.
  fileprivate func isListed(before other: StoredPoolCase) -> Bool {
    (progress.dueDay, id) < (other.progress.dueDay, other.id)
  }
}
