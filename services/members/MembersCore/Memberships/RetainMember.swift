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
    var failures = FieldFailures()
    let order = try MemberOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      reason: request.reason, payload: payload, at: clock.now, &failures)
    switch request.cause {
    case .jobless, .retired: break
    case .unspecified: failures.add([.required("cause")])
    case .unrecognized: failures.add([.invalidValue("cause")])
    }
    try failures.check()
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
