public import MembersV1
public import RPC
import ServiceKit
import Storage
import YijiaTypeV1

extension MembersService {
  /// Lists the log of a membership, oldest entry first.
  public func listMembershipLog(
    _ request: ListMembershipLogRequest, context: ServerContext
  ) async throws -> ListMembershipLogResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let id = try caller.member(named: request.name)
    let (scope, known) = try await database.read(
      StaffScope.query(of: caller), MemberStore.byID(id))
    guard let known, caller.actsFor(known, scope) else { throw MembersError.memberNotFound }
    let list = ["ListMembershipLog", caller.subject, id]
    let after = try keys.pages.decode(request.pageToken, scope: list)?.first ?? .integer(0)
    let page = try await database.read(MembershipLog.page(of: id, after: after, limit: size + 1))
    var response = ListMembershipLogResponse()
    response.entries = page.prefix(size).map { entry in
      var entry = entry
      // Members don't see which staff acted.
      if caller.kind == .member, entry.actor != caller.subject { entry.actor = "" }
      return entry
    }
    if page.count > size {
      response.nextPageToken = try keys.pages.encode([page[size - 1].version], scope: list)
    }
    return response
  }
}
