import Crypto
import GatewayV1
import GoogleProtobuf
import ServiceKit
import Storage

/// A partner's key as it is stored: the key itself is nowhere.
struct StoredPartnerKey: Sendable, Hashable {
  var id: String
  /// Identifier of its partner.
  var partner: String
  var displayName: String
  /// How the key begins.
  var hint: String
  var sha256: [UInt8]
  /// Paths; empty for all of its partner's.
  var methods: [String]
  /// Microseconds since 1970.
  var createdAt: Int64
  /// Microseconds since 1970; nil for never.
  var expiresAt: Int64?
  /// Identifier of the key that took its place.
  var replacedBy: String?
  /// Microseconds since 1970; nil while it was not revoked.
  var revokedAt: Int64?

  var name: String { "partners/\(partner)/keys/\(id)" }

  /// Whether it holds at an instant, as far as it is not its partner's fault.
  func holds(at now: Int64) -> Bool { revokedAt == nil && expiresAt ?? .max > now }

  /// As the contract shows it.
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

/// A secret as callers show it: 256 random bits as 64 hex digits after a prefix that secret
/// scanners can know.
struct Secret: Sendable {
  /// Of partners' keys.
  static let keyPrefix = "yjp_"
  /// Digits of the hint: enough to tell keys apart, and 224 bits stay unknown.
  private static let hintDigits = 8

  let text: String

  /// - Parameter ids: Two of its 128-bit identifiers make a secret.
  init(_ prefix: String, ids: IDSource) { text = prefix + ids.next() + ids.next() }

  /// SHA-256 of the text: what is stored.
  var sha256: [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }

  /// How it begins.
  var hint: String { String(text.prefix(Self.keyPrefix.count + Self.hintDigits)) }

  /// Whether a text may be a secret with that prefix: others are not looked for in the store.
  static func isOne(_ text: [UInt8], _ prefix: String) -> Bool {
    text.count == prefix.utf8.count + 64 && text.starts(with: prefix.utf8)
  }
}

extension IDSource {
  /// Random bytes, 16 of each identifier.
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

  /// Stores a key; the guard is its partner's version.
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

  /// Stores how a key ends; the guard is its partner's version.
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
