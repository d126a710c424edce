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
    let filter: TransferStore.Filter
    let subject: String
    if caller.kind == .member || !request.member.isEmpty {
      subject = try caller.member(named: request.member, field: "member")
      let (scope, known) = try await database.read(
        StaffScope.query(of: caller), MemberStore.byID(subject))
      guard let known, caller.actsFor(known, scope) else { throw MembersError.memberNotFound }
      filter = .member(subject)
    } else {
      let range = try await subtree(of: request.ancestor, for: caller)
      subject = range.first
      filter = .receivers(range, by: try await plan(TransferStore.rows(states), of: range))
    }
    let scope = ["ListTransfers", caller.subject, subject] + states.map { "\($0.rawValue)" }
    let after = try keys.pages.decode(request.pageToken, scope: scope)
    let page = try await database.read(
      TransferStore.page(
        of: filter, states: states,
        after: (after?.first ?? .integer(0), after?.last ?? .text("")), limit: size + 1))
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
