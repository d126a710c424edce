public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Dismisses a unit index with a reason; a new crossing notifies again.
  public func dismissUnit(
    _ request: DismissUnitRequest, context: ServerContext
  ) async throws -> DismissUnitResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    var order = try UnitOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      payload: payload, at: clock.now, &checks)
    order.reason =
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(
          request.reason, field: "reason", characters: MemberOrder.reasonCharacters)
      } ?? ""
    try checks.check()
    let keys = keys
    return try await decide(order, .dismiss, context) { facts, _ in
      try .with { $0.unit = try keys.message(of: facts.unit) }
    }
  }
}
