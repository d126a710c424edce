public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Retains the membership of an active member who is jobless or retired.
  public func retainMember(
    _ request: RetainMemberRequest, context: ServerContext
  ) async throws -> RetainMemberResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try MemberOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      reason: request.reason, payload: payload, at: clock.now, &checks)
    switch request.cause {
    case .jobless, .retired: break
    case .unspecified: checks.add([.required("cause")])
    case .unrecognized: checks.add([.invalidValue("cause")])
    }
    try checks.check()
    let cause = request.cause
    return try await write(order, action: "members.retain") { facts, commit in
      var response = RetainMemberResponse()
      response.membership = try commit.change(
        facts.member, .retain, retention: cause, by: order.act
      ).summary
      return response
    }
  }
}
