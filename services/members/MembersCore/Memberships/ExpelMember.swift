public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Ends a live membership by expulsion, which is final.
  public func expelMember(
    _ request: ExpelMemberRequest, context: ServerContext
  ) async throws -> ExpelMemberResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try MemberOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      reason: request.reason, payload: payload, at: clock.now, &checks)
    try checks.check()
    return try await write(order, action: "members.expel") { facts, commit in
      var response = ExpelMemberResponse()
      response.membership = try commit.end(facts, .expel, by: order.act).summary
      return response
    }
  }
}
