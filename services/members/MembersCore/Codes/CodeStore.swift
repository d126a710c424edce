import Foundation
import GoogleProtobuf
import MembersV1
import ServiceKit
import Storage

/// An organization's code as stored; its text is made from its id when it is asked for.
struct StoredCode: Sendable, Hashable {
  var id: String
  var organizationID: String
  var channel: Channel
  var campaign: String
  /// Microseconds since 1970, as the other instants.
  var expires: Int64
  var revoked: Int64?
  var version: Int64
  var created: Int64
  /// Whether a member who scans it is transferred at once.
  var acceptsTransfers = false

  /// - Throws: ``MembersError/codeRevoked``, ``MembersError/codeExpired``.
  func check(at now: Int64) throws {
    if revoked != nil { throw MembersError.codeRevoked }
    if now >= expires { throw MembersError.codeExpired }
  }

  /// Whether it is neither revoked nor expired.
  func holds(at now: Int64) -> Bool { revoked == nil && now < expires }

  /// - Parameters:
  ///   - text: The code's text, where the caller may have it.
  ///   - link: The text as a link.
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

  /// A page of an organization's codes, the newest first.
  ///
  /// - Parameters:
  ///   - now: Leaves out what does not hold at this instant; nil for all.
  ///   - last: Creation and id of the last one of the page before.
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

  /// How many codes that were signed before an instant may still be scanned.
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
