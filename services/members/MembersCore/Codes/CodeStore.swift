import Foundation
import GoogleProtobuf
import MembersV1
import ServiceKit
import Storage

/// An organization code as stored; its text is derived from its id.
struct StoredCode: Sendable, Hashable {
  var id: String
  var organizationID: String
  var channel: Channel
  var campaign: String
  /// The expiry in microseconds since 1970.
  var expires: Int64
  /// The revocation in microseconds since 1970; `nil` if it is not revoked.
  var revoked: Int64?
  var version: Int64
  /// The creation in microseconds since 1970.
  var created: Int64
  /// Whether a transfer requested with the code completes at once.
  var acceptsTransfers = false

  /// - Throws: ``MembersError/codeRevoked``, ``MembersError/codeExpired``.
  func check(at now: Int64) throws {
    if revoked != nil { throw MembersError.codeRevoked }
    if now >= expires { throw MembersError.codeExpired }
  }

  /// Revokes the code; one that was revoked before is unchanged.
  ///
  /// - Returns: Whether it changed.
  mutating func revoke(at now: Int64) -> Bool {
    guard revoked == nil else { return false }
    revoked = now
    return true
  }

  /// Returns whether the code is neither revoked nor expired.
  func holds(at now: Int64) -> Bool { revoked == nil && now < expires }

  /// - Parameters:
  ///   - text: The text of the code, for callers who may have it.
  ///   - link: The link of the code, for callers who may have it.
  func message(text: String = "", link: String = "") -> OrganizationCode {
    var message = OrganizationCode()
    message.name = "organizationCodes/\(id)"
    message.organization = "organizations/\(organizationID)"
    message.channel = channel
    message.campaign = campaign
    message.acceptsTransfers = acceptsTransfers
    message.text = text
    message.link = link
    message.expireTime = Timestamp(microseconds: expires)
    message.createTime = Timestamp(microseconds: created)
    message.revokeTime = revoked.map { Timestamp(microseconds: $0) }
    return message
  }
}

/// The SQL of organization codes.
enum CodeStore {
  static func byID(_ id: String) -> Query<StoredCode?> {
    .first(
      """
      SELECT id, organization_id, channel, campaign, expires, revoked, version, created,
        accepts_transfers
      FROM organization_codes WHERE id = ?1
      """, [id], code)
  }

  /// Returns a page of an organization's codes, newest first.
  ///
  /// - Parameters:
  ///   - now: Restricts the page to codes valid at this instant; `nil` for all.
  ///   - last: The creation and id of the last code of the previous page.
  static func page(
    of organizationID: String, holdingAt now: Int64?, after last: [SQLValue]?, limit: Int
  ) -> Query<[StoredCode]> {
    let after = last ?? [.integer(.max), .text("")]
    return .all(
      """
      SELECT id, organization_id, channel, campaign, expires, revoked, version, created,
        accepts_transfers
      FROM organization_codes
      WHERE organization_id = ?1 AND (created, id) < (?2, ?3)
        AND (?4 = 0 OR revoked IS NULL AND expires > ?4)
      ORDER BY created DESC, id DESC LIMIT ?5
      """, [organizationID, after[0], after[after.count - 1], now ?? 0, limit], code)
  }

  @Sendable private static func code(_ row: Row) throws -> StoredCode {
    StoredCode(
      id: try row.text("id"), organizationID: try row.text("organization_id"),
      channel: Channel(rawValue: try row.int32("channel")), campaign: try row.text("campaign"),
      expires: try row.integer("expires"), revoked: try row.optionalInteger("revoked"),
      version: try row.integer("version"), created: try row.integer("created"),
      acceptsTransfers: try row.boolean("accepts_transfers"))
  }

  /// Returns the number of valid codes that were signed before an instant.
  static func inForce(createdBefore instant: Date, at now: Date) -> Query<Int> {
    .one(
      """
      SELECT count(*) AS n FROM organization_codes
      WHERE created < ?1 AND expires > ?2 AND revoked IS NULL
      """, [instant, now]
    ) { try $0.int("n") }
  }

  static func insert(_ code: StoredCode) -> Statement {
    Statement(
      """
      INSERT INTO organization_codes (
        id, organization_id, channel, campaign, expires, revoked, version, created,
        accepts_transfers
      ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
      """,
      [
        code.id, code.organizationID, code.channel.rawValue, code.campaign, code.expires,
        code.revoked, code.version, code.created, code.acceptsTransfers,
      ], expects: .exactly(1))
  }

  static func revoke(_ code: StoredCode, at now: Int64) -> Statement {
    Statement(
      """
      UPDATE organization_codes SET revoked = ?2, version = version + 1
      WHERE id = ?1 AND version = ?3
      """, [code.id, now, code.version], expects: .exactly(1))
  }
}
