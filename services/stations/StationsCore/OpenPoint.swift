public import RPC
import ServiceKit
public import StationsV1
import Storage

extension StationsService {
  /// Opens a point of the caller's subtree. Does nothing where it is open already.
  public func openPoint(
    _ request: OpenPointRequest, context: ServerContext
  ) async throws -> OpenPointResponse {
    let caller = try context.caller
    let now = clock.now
    var checks = FieldChecks()
    let key = checks.requestID(request.requestID)
    let given = checks.resource(request.name, of: "points", "name")
    let (requestID, id) = try checks.finish(key, given)
    var payload = request
    payload.requestID = ""
    let etag = request.etag
    return try await once(
      context, caller: caller, requestID: requestID, payload: payload, now: now
    ) {
      .read(PointStore.scoped(id, for: caller)) { found in
        var point = try PointStore.check(found, for: caller)
        try Etag.check(etag, point.version)
        switch PointLifecycle.apply(.open, to: point.state) {
        case .refusedClosed, .refused: throw StationsError.pointClosed
        case .unchanged: return .reply(response(point))
        case .becomes(let state): point.state = state
        }
        point.version += 1
        var commit = Commit(at: now)
        PointStore.setState(of: point, at: now.microseconds, in: &commit)
        commit.emit(try StationEvents.changed(point))
        commit.record(
          AuditEntry(actor: caller.subject, action: "stations.open_point", target: point.name))
        return .commit(commit, response(point))
      }
    }
    @Sendable func response(_ point: StoredPoint) -> OpenPointResponse {
      var response = OpenPointResponse()
      response.point = point.message
      return response
    }
  }
}
