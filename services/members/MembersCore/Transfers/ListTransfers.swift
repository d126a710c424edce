public import MembersV1
public import RPC
import ServiceKit
import Storage
import YijiaTypeV1

extension MembersService {
  /// Lists the transfers to the unions of a subtree, or those of a member, by due date.
  public func listTransfers(
    _ request: ListTransfersRequest, context: ServerContext
  ) async throws -> ListTransfersResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let states = try Filter.values(request.states, "states", standard: [.requested])
    let range: PathRange?
    let subject: String
    if caller.kind == .member || !request.member.isEmpty {
      subject = try caller.member(named: request.member, field: "member")
      let (scope, known) = try await database.read(
        StaffScope.query(of: caller), MemberStore.byID(subject))
      guard let known, caller.actsFor(known, scope) else { throw MembersError.memberNotFound }
      range = nil
    } else {
      let within = try await subtree(of: request.ancestor, for: caller)
      (range, subject) = (within, within.first)
    }
    let scope = ["ListTransfers", caller.subject, subject] + states.map { "\($0.rawValue)" }
    let after = try ListPlace(keys.pages.decode(request.pageToken, scope: scope))
    let rows = { (filter: TransferStore.Filter) in
      TransferStore.page(of: filter, states: states, after: after, limit: size + 1)
    }
    let page =
      if let range {
        try await orderedPage(
          of: range, limit: size + 1, TransferStore.rows(states),
          { TransferStore.place(after: after, skipping: $0) },
          { rows(.receivers(range, by: $0, before: $1)) })
      } else {
        try await database.read(rows(.member(subject)))
      }
    var response = ListTransfersResponse()
    response.transfers = page.prefix(size).map { $0.message($0.transfer) }
    if page.count > size {
      let last = page[size - 1].transfer
      response.nextPageToken = try keys.pages.encode(
        [last.progress.dueDay, last.id], scope: scope)
    }
    return response
  }
}
