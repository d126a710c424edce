public import RPC
import ServiceKit
public import StationsV1
import Storage

extension StationsService {
  /// Revokes the key of a kiosk in the caller's subtree. Does nothing where it is revoked already.
  public func revokeKiosk(
    _ request: RevokeKioskRequest, context: ServerContext
  ) async throws -> RevokeKioskResponse {
    let caller = try context.caller
    let now = clock.now
    var checks = FieldChecks()
    let key = checks.requestID(request.requestID)
    let given = checks.resource(request.name, of: "kiosks", "name")
    let (requestID, id) = try checks.finish(key, given)
    var payload = request
    payload.requestID = ""
    return try await once(
      context, caller: caller, requestID: requestID, payload: payload, now: now
    ) {
      .read(KioskStore.byID(id)) { kiosk in
        guard let kiosk else { throw StationsError.kioskNotFound }
        return .read(PointStore.scoped(kiosk.point, for: caller)) { found in
          _ = try PointStore.check(found, for: caller)
          return try revoke(kiosk)
        }
      }
    }
    @Sendable func revoke(_ stored: StoredKiosk) throws -> Step<RevokeKioskResponse> {
      var kiosk = stored
      var response = RevokeKioskResponse()
      if kiosk.revokedAt != nil {
        response.kiosk = kiosk.message
        return .reply(response)
      }
      kiosk.revokedAt = now.microseconds
      kiosk.version += 1
      response.kiosk = kiosk.message
      var commit = Commit(at: now)
      KioskStore.revoke(kiosk, in: &commit)
      commit.emit(try StationEvents.changed(kiosk))
      commit.record(
        AuditEntry(actor: caller.subject, action: "stations.revoke_kiosk", target: kiosk.name))
      return .commit(commit, response)
    }
  }
}
