import GatewayV1
import GoogleProtobuf
import ServiceKit
import Storage

/// A partner's certificate, as stored.
struct StoredPartnerCertificate: Sendable, Hashable {
  var id: String
  /// Identifier of the partner.
  var partner: String
  var displayName: String
  /// The text of its ``CertificateIdentity``.
  var identity: String
  /// The hash of its ``CertificateIdentity``.
  var sha256: [UInt8]
  /// Method paths; empty for all of its partner's.
  var methods: [String]
  /// Microseconds since 1970.
  var createdAt: Int64
  /// Microseconds since 1970; nil for never.
  var expiresAt: Int64?
  /// Microseconds since 1970; nil if not revoked.
  var revokedAt: Int64?

  var name: String { "partners/\(partner)/certificates/\(id)" }

  /// The resource of the contract.
  var message: PartnerCertificate {
    var certificate = PartnerCertificate()
    certificate.name = name
    certificate.displayName = displayName
    certificate.identity = identity
    certificate.methods = methods
    certificate.createTime = Timestamp(microseconds: createdAt)
    certificate.expireTime = expiresAt.map { Timestamp(microseconds: $0) }
    certificate.revokeTime = revokedAt.map { Timestamp(microseconds: $0) }
    return certificate
  }
}

/// The SQL of partners' certificates.
enum PartnerCertificateStore {
  static let table = PartnerTable(
    name: "partner_certificate",
    columns: """
      id, partner_id, display_name, identity, identity_sha256, methods, created_at, expires_at, \
      revoked_at
      """, row: certificate)

  /// Returns the unrevoked certificate with that hash.
  static func byHash(_ hash: [UInt8]) -> Query<StoredPartnerCertificate?> {
    .first(
      """
      SELECT \(table.columns) FROM partner_certificate
      WHERE identity_sha256 = ?1 AND revoked_at IS NULL
      """, [hash], certificate)
  }

  /// Inserts a certificate, guarded by the partner's version and the uniqueness of the identity.
  static func insert(_ certificate: StoredPartnerCertificate, into commit: inout Commit) {
    commit.run(
      """
      INSERT INTO partner_certificate (
        id, partner_id, display_name, identity, identity_sha256, methods, created_at, expires_at)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
      ON CONFLICT (identity_sha256) WHERE revoked_at IS NULL DO NOTHING
      """,
      [
        certificate.id, certificate.partner, certificate.displayName, certificate.identity,
        certificate.sha256, MethodList.text(certificate.methods), certificate.createdAt,
        certificate.expiresAt,
      ], expects: .exactly(1))
  }

  /// Stores a revocation, guarded by the partner's version.
  static func revoke(_ certificate: StoredPartnerCertificate, in commit: inout Commit) {
    commit.run(
      "UPDATE partner_certificate SET revoked_at = ?2 WHERE id = ?1",
      [certificate.id, certificate.revokedAt], expects: .exactly(1))
  }

  @Sendable private static func certificate(_ row: Row) throws -> StoredPartnerCertificate {
    StoredPartnerCertificate(
      id: try row.text("id"), partner: try row.text("partner_id"),
      displayName: try row.text("display_name"), identity: try row.text("identity"),
      sha256: try row.blob("identity_sha256"),
      methods: MethodList.paths(try row.text("methods")),
      createdAt: try row.integer("created_at"), expiresAt: try row.optionalInteger("expires_at"),
      revokedAt: try row.optionalInteger("revoked_at"))
  }
}
