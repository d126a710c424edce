public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists a member's titles and awards by day, for staff and for the member.
  public func listHonors(
    _ request: ListHonorsRequest, context: ServerContext
  ) async throws -> ListHonorsResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let id = try caller.member(named: request.member, field: "member")
    let list = ["ListHonors", caller.subject, id]
    let values = try keys.pages.decode(request.pageToken, scope: list)
    let after = values == nil ? HonorStore.start : try ListPlace(values)
    let (scope, known, honors) = try await database.read(
      StaffScope.query(of: caller), MemberStore.byID(id),
      HonorStore.of(id, after: after, limit: size + 1))
    guard let known, caller.actsFor(known, scope) else { throw MembersError.memberNotFound }
    var response = ListHonorsResponse()
    response.honors = honors.prefix(size).map(\.message)
    if honors.count > size {
      let last = honors[size - 1]
      response.nextPageToken = try keys.pages.encode([last.day, last.sourceEvent], scope: list)
    }
    return response
  }
}
