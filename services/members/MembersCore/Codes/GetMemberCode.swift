public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns a member's own code, for printing or display.
  public func getMemberCode(
    _ request: GetMemberCodeRequest, context: ServerContext
  ) async throws -> GetMemberCodeResponse {
    let known = try await member(request.name, for: try context.caller)
    guard !known.person.isErased else { throw MembersError.memberNotFound }
    var response = GetMemberCodeResponse()
    response.code = try keys.personKey(of: known.person)
      .openText(known.member.code, table: MemberStore.table, column: "code")
    return response
  }
}
