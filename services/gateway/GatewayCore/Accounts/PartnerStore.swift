import GatewayV1
import GoogleProtobuf
import ServiceKit
import Storage

/// A partner, as stored.
struct StoredPartner: StoredAccount, Hashable {
  var id: String
  /// Incremented by every change, from 1 on.
  var version: Int64
  var displayName: String
  var state: PartnerState
  /// Method paths; empty for all that partners may call.
  var methods: [String]
  /// The partner's own limits, which override the defaults.
  var limits: [LimitSetting] = []
  /// Microseconds since 1970.
  var createdAt: Int64
  /// Microseconds since 1970.
  var updatedAt: Int64

  var name: String { "partners/\(id)" }
  var etag: String { Etag.text(version) }

  /// The resource of the contract.
  var message: Partner {
    var partner = Partner()
    partner.name = name
    partner.etag = etag
    partner.displayName = displayName
    partner.state = state
    partner.methods = methods
    partner.limits = limits.map(\.message)
    partner.createTime = Timestamp(microseconds: createdAt)
    partner.updateTime = Timestamp(microseconds: updatedAt)
    return partner
  }
}

/// The SQL of partners.
enum PartnerStore: AccountStore {
  static let collection = "partners"
  static let notFound = AccountFailure.partnerNotFound

  private static let columns = """
    id, version, display_name, state, methods, limits, created_at, updated_at
    """

  static func byID(_ id: String) -> Query<StoredPartner?> {
    .first("SELECT \(columns) FROM partner WHERE id = ?1", [id], partner)
  }

  static func page(after id: String, limit: Int) -> Query<[StoredPartner]> {
    .all(
      "SELECT \(columns) FROM partner WHERE id > ?1 ORDER BY id LIMIT ?2", [id, limit], partner)
  }

  static func insert(_ partner: StoredPartner, into commit: inout Commit) {
    commit.emit(AccountEvent.changed(partner.name, version: partner.version))
    commit.run(
      """
      INSERT INTO partner (id, version, display_name, state, methods, created_at, updated_at)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
      """,
      [
        partner.id, partner.version, partner.displayName, Int64(partner.state.rawValue),
        MethodList.text(partner.methods), partner.createdAt, partner.updatedAt,
      ], expects: .exactly(1))
  }

  /// Stores a change of a partner or of its credentials: increments its version, which guards what
  /// was read of both, and emits its event.
  static func update(_ partner: StoredPartner, at now: Int64, in commit: inout Commit) {
    commit.emit(AccountEvent.changed(partner.name, version: partner.version + 1))
    commit.run(
      """
      UPDATE partner SET version = ?2, display_name = ?3, state = ?4, methods = ?5, updated_at = ?6,
        limits = ?8
      WHERE id = ?1 AND version = ?7
      """,
      [
        partner.id, partner.version + 1, partner.displayName, Int64(partner.state.rawValue),
        MethodList.text(partner.methods), now, partner.version, LimitList.text(partner.limits),
      ], expects: .exactly(1))
  }

  @Sendable private static func partner(_ row: Row) throws -> StoredPartner {
    StoredPartner(
      id: try row.text("id"), version: try row.integer("version"),
      displayName: try row.text("display_name"),
      state: PartnerState(rawValue: try row.int32("state")),
      methods: MethodList.paths(try row.text("methods")),
      limits: try LimitList.settings(try row.text("limits")),
      createdAt: try row.integer("created_at"), updatedAt: try row.integer("updated_at"))
  }
}

/// Method paths stored as one text: no path contains a line break.
enum MethodList {
  static func text(_ paths: [String]) -> String { paths.joined(separator: "\n") }

  static func paths(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }
}
