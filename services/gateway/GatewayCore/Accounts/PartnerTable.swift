import RPC
import ServiceKit
import Storage

/// The SQL that partner keys and certificates share: credentials of a partner that are limited to
/// methods, expire, and can be revoked.
struct PartnerTable<Stored: Sendable>: Sendable {
  let name: String
  /// The columns that ``row`` reads, separated by commas.
  let columns: String
  let row: @Sendable (Row) throws -> Stored

  func byID(_ id: String, of partner: String) -> Query<Stored?> {
    .first(
      "SELECT \(columns) FROM \(name) WHERE id = ?1 AND partner_id = ?2", [id, partner], row)
  }

  /// Returns a page of a partner's credentials in order of identifiers.
  func page(of partner: String, after id: String, limit: Int) -> Query<[Stored]> {
    .all(
      "SELECT \(columns) FROM \(name) WHERE partner_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
      [partner, id, limit], row)
  }

  /// Returns the number of a partner's valid credentials.
  func holding(of partner: String, at now: Int64) -> Query<Int> {
    .one(
      """
      SELECT count(*) AS n FROM \(name)
      WHERE partner_id = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)
      """, [partner, now]
    ) { try $0.int("n") }
  }
}

extension AccountsService {
  /// Lists one page of a partner's credentials in that table.
  ///
  /// - Parameters:
  ///   - partner: Resource name of the partner, as in the request.
  ///   - id: Returns a row's identifier.
  func page<Stored>(
    of table: PartnerTable<Stored>, partner: String, size: Int32, token: String,
    _ context: ServerContext, id: (Stored) -> String
  ) async throws -> (rows: [Stored], next: String) {
    _ = try administrator(context)
    var checks = FieldChecks()
    let size = checks.pageSize(size)
    let given = checks.resource(partner, of: "partners", "partner")
    let partnerID = try checks.finish(given)
    guard try await store.database.read(PartnerStore.byID(partnerID)) != nil else {
      throw AccountFailure.partnerNotFound
    }
    return try await store.page(context, size: size, token: token, of: [partnerID], id: id) {
      table.page(of: partnerID, after: $0, limit: $1)
    }
  }
}
