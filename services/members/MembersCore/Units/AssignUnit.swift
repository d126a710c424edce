public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Assigns the union that guides a unit.
  public func assignUnit(
    _ request: AssignUnitRequest, context: ServerContext
  ) async throws -> AssignUnitResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try UnitOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      payload: payload, at: clock.now, &checks)
    let unionID = checks.resource(request.union, of: "organizations", "union")
    try checks.check()
    let keys = keys
    return try await decide(order, .assign, unionID: unionID ?? "", context) { facts, _ in
      try .with { $0.unit = try keys.message(of: facts.unit) }
    }
  }
}
