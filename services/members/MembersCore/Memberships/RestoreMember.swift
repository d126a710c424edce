public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Reactivates a retained membership.
  public func restoreMember(
    _ request: RestoreMemberRequest, context: ServerContext
  ) async throws -> RestoreMemberResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try MemberOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      reason: request.reason, payload: payload, at: clock.now, &checks)
    try checks.check()
    return try await write(order, action: "members.restore") { facts, commit in
      var response = RestoreMemberResponse()
      response.membership = try commit.change(facts.member, .restore, by: order.act).summary
      return response
    }
  }
}
