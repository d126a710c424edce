public import RPC
import ServiceKit
public import StationsV1
import Storage

extension StationsService {
  /// Registers a kiosk at a point of the caller's subtree and issues its API key.
  ///
  /// The key is in the reply and stored nowhere in clear: a replay of the request decrypts the
  /// reply in the request ledger, and so returns the same key.
  public func registerKiosk(
    _ request: RegisterKioskRequest, context: ServerContext
  ) async throws -> RegisterKioskResponse {
    let caller = try context.caller
    let now = clock.now
    var checks = FieldChecks()
    let requestKey = checks.requestID(request.requestID)
    let given = checks.resource(request.point, of: "points", "point")
    let displayName = checks.text(request.displayName, "display_name", length: 1...100)
    let (requestID, pointID) = try checks.finish(requestKey, given)

    let key = Secret(.kiosk, ids: ids)
    let kiosk = StoredKiosk(
      id: ids.next(), version: 1, point: pointID, displayName: displayName,
      keySHA256: key.sha256, createdAt: now.microseconds)
    var payload = request
    payload.requestID = ""
    return try await once(
      context, caller: caller, requestID: requestID, payload: payload, now: now
    ) {
      .read(PointStore.scoped(pointID, for: caller)) { found in
        let point = try PointStore.check(found, for: caller)
        guard point.state != .closed else { throw StationsError.pointClosed }
        var commit = Commit(at: now)
        KioskStore.insert(kiosk, into: &commit)
        commit.emit(try StationEvents.changed(kiosk))
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "stations.register_kiosk", target: kiosk.name,
            detail: Array("points/\(pointID)".utf8)))
        var response = RegisterKioskResponse()
        response.kiosk = kiosk.message
        response.apiKey = key.text
        return .commit(commit, response)
      }
    }
  }
}
