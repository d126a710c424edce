import ServiceKit
import StationsV1
import YijiaTypeV1

/// The kiosks' credentials as derived from the events of yijia-stations. A pure value.
struct KioskTable: Sendable {
  /// The state of a presented key.
  enum Match: Sendable, Hashable {
    case kiosk(Caller)
    /// The key was valid once.
    case revoked
    case unknown
  }

  private struct Entry {
    let version: Int64
    let hash: CredentialHash?
  }

  private var entries: [String: Entry] = [:]
  private var matches: [CredentialHash: Match] = [:]

  /// Number of kiosks, revoked ones included.
  var count: Int { entries.count }

  /// Applies an event; ignores one that is not newer than the kiosk's last.
  ///
  /// - Returns: The keys that became invalid.
  @discardableResult
  mutating func apply(_ change: KioskChanged, version: Int64) -> [CredentialHash] {
    let before = entries[change.kiosk]
    guard version > before?.version ?? 0 else { return [] }
    let hash = CredentialHash(bytes: change.apiKeySHA256)
    entries[change.kiosk] = Entry(version: version, hash: hash)
    var ended: [CredentialHash] = []
    if let old = before?.hash, old != hash { ended.append(old) }
    if let hash, change.revoked { ended.append(hash) }
    if let hash, !change.revoked { matches[hash] = .kiosk(Self.caller(of: change)) }
    for hash in ended { matches[hash] = .revoked }
    return ended
  }

  /// Returns the state of the key with that hash.
  func match(_ hash: CredentialHash) -> Match { matches[hash] ?? .unknown }

  private static func caller(of change: KioskChanged) -> Caller {
    let prefix = "points/"
    let point = change.point.hasPrefix(prefix) ? change.point.dropFirst(prefix.count) : ""
    return Caller(kind: .kiosk, subject: change.kiosk, point: String(point))
  }
}
