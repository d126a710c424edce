public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Records that the guiding union has started.
  public func guideUnit(
    _ request: GuideUnitRequest, context: ServerContext
  ) async throws -> GuideUnitResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try UnitOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      payload: payload, at: clock.now, &checks)
    try checks.check()
    let keys = keys
    return try await decide(order, .guide, context) { facts, _ in
      try .with { $0.unit = try keys.message(of: facts.unit) }
    }
  }
}
