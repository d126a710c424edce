public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Ends a live membership at the member's request.
  public func leaveUnion(
    _ request: LeaveUnionRequest, context: ServerContext
  ) async throws -> LeaveUnionResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try MemberOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      reason: request.reason, payload: payload, at: clock.now, &checks)
    try checks.check()
    return try await write(order, action: "members.leave") { facts, commit in
      var response = LeaveUnionResponse()
      response.membership = try commit.end(facts, .leave, by: order.act).summary
      return response
    }
  }
}
