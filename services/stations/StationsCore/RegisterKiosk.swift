import Crypto
public import RPC
import ServiceKit
public import StationsV1
import Storage

extension StationsService {
  /// Registers a kiosk at a point of the caller's subtree and gives it its key.
  ///
  /// The key is in the reply and nowhere else in clear: a replay of the request opens the reply
  /// that the request ledger sealed, and so returns the same key.
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

    let key = KioskKey(ids: ids)
    let kiosk = StoredKiosk(
      id: ids.next(), version: 1, point: pointID, displayName: displayName,
      keySHA256: key.sha256, createdAt: now.microseconds)
    var payload = request
    payload.requestID = ""
    return try await once(
      context, caller: caller, requestID: requestID, payload: payload, now: now
    ) {
      .read(PointStore.scoped(pointID, for: caller)) { found in
        let point = try Scope.check(found, for: caller)
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

/// A kiosk's key: 256 random bits as 64 hex digits after a prefix that secret scanners can know.
struct KioskKey: Sendable {
  let text: String

  /// - Parameter ids: Two of its 128-bit identifiers make a key.
  init(ids: IDSource) { text = "yk_" + ids.next() + ids.next() }

  /// SHA-256 of the text: what is stored, and what the gateway compares.
  var sha256: [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }
}
