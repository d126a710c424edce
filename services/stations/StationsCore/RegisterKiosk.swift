import Crypto
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

/// A kiosk's API key: 256 random bits as 64 hex digits, after a prefix that secret scanners can
/// recognize.
struct KioskKey: Sendable {
  let text: String

  /// - Parameter ids: Source of random identifiers; two of 128 bits make a key.
  init(ids: IDSource) { text = "yk_" + ids.next() + ids.next() }

  /// SHA-256 of the text, which is stored, and which the gateway compares.
  var sha256: [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }
}
