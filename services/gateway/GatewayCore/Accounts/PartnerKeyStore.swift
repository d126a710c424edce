import GatewayV1
import GoogleProtobuf
import ServiceKit
import Storage

/// A partner's key, as stored: by hash, without the key itself.
struct StoredPartnerKey: Sendable, Hashable {
  var id: String
  /// Identifier of the partner.
  var partner: String
  var displayName: String
  /// The beginning of the key's text.
  var hint: String
  var sha256: [UInt8]
  /// Method paths; empty for all of its partner's.
  var methods: [String]
  /// Microseconds since 1970.
  var createdAt: Int64
  /// Microseconds since 1970; nil for never.
  var expiresAt: Int64?
  /// Identifier of the key that replaced it by rotation.
  var replacedBy: String?
  /// Microseconds since 1970; nil if not revoked.
  var revokedAt: Int64?

  var name: String { "partners/\(partner)/keys/\(id)" }

  /// Whether the key is valid at an instant, regardless of its partner's state.
  func holds(at now: Int64) -> Bool { revokedAt == nil && expiresAt ?? .max > now }

  /// The end of a key with the same lifetime, in microseconds since 1970; nil for never.
  func end(madeAt now: Int64) -> Int64? {
    expiresAt.map { min(now + ($0 - createdAt), Timestamp.microsecondsMax) }
  }

  /// The resource of the contract.
  var message: PartnerKey {
    var key = PartnerKey()
    key.name = name
    key.displayName = displayName
    key.hint = hint
    key.methods = methods
    key.createTime = Timestamp(microseconds: createdAt)
    key.expireTime = expiresAt.map { Timestamp(microseconds: $0) }
    key.revokeTime = revokedAt.map { Timestamp(microseconds: $0) }
    return key
  }
}

extension IDSource {
  /// Returns random bytes, 16 from each identifier.
  func bytes(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let digits = Array(next())
      for index in stride(from: 0, to: digits.count, by: 2) {
        bytes.append(UInt8(String(digits[index...index + 1]), radix: 16) ?? 0)
      }
    }
    return Array(bytes.prefix(count))
  }
}

/// The SQL of partners' keys.
enum PartnerKeyStore {
  static let table = PartnerTable(
    name: "partner_key",
    columns: """
      id, partner_id, display_name, hint, key_sha256, methods, created_at, expires_at, \
      replaced_by, revoked_at
      """, row: key)

  /// Inserts a key, guarded by the partner's version.
  static func insert(_ key: StoredPartnerKey, into commit: inout Commit) {
    commit.run(
      """
      INSERT INTO partner_key (
        id, partner_id, display_name, hint, key_sha256, methods, created_at, expires_at)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
      """,
      [
        key.id, key.partner, key.displayName, key.hint, key.sha256,
        MethodList.text(key.methods), key.createdAt, key.expiresAt,
      ], expects: .exactly(1))
  }

  /// Stores the expiry, rotation or revocation of a key, guarded by the partner's version.
  static func update(_ key: StoredPartnerKey, in commit: inout Commit) {
    commit.run(
      "UPDATE partner_key SET expires_at = ?2, replaced_by = ?3, revoked_at = ?4 WHERE id = ?1",
      [key.id, key.expiresAt, key.replacedBy, key.revokedAt], expects: .exactly(1))
  }

  @Sendable private static func key(_ row: Row) throws -> StoredPartnerKey {
    StoredPartnerKey(
      id: try row.text("id"), partner: try row.text("partner_id"),
      displayName: try row.text("display_name"),
      hint: try row.text("hint"), sha256: try row.blob("key_sha256"),
      methods: MethodList.paths(try row.text("methods")),
      createdAt: try row.integer("created_at"), expiresAt: try row.optionalInteger("expires_at"),
      replacedBy: try row.optionalText("replaced_by"),
      revokedAt: try row.optionalInteger("revoked_at"))
  }
}
