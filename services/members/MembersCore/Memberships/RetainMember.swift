public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Retains the membership of an active member who is jobless or retired, which cancels an open
  /// transfer.
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
      let retained = try commit.change(
        facts.member, .retain, retention: cause, by: order.act)
      // A retained member can't be transferred.
      try commit.cancelTransfer(facts.transfer, of: retained.id, by: order.act)
      var response = RetainMemberResponse()
      response.membership = retained.summary
      return response
    }
  }
}
