import GoogleProtobuf
import MembersV1
import Protobuf
import ServiceKit
import Storage

/// A unit as stored; its name and credit code are sealed under a key of its own.
struct StoredUnit: Sendable, Hashable {
  var id: String
  /// The organization of the township.
  var organizationID: String
  var hash: [UInt8]
  /// The hash under the previous key, or the same as `hash` if that key is retired.
  var olderHash: [UInt8]?
  var wrappedKey: [UInt8]
  /// The sealed `Unit` message with name and credit code.
  var identity: [UInt8]
  var state: UnitState
  var members: Int64
  var crossings: Int32
  var unionID: String?
  var version: Int64
  /// The creation in microseconds since 1970.
  var created: Int64
}

/// A unit with the position of its township in the tree.
struct PlacedUnit: Sendable, Hashable {
  var unit: StoredUnit
  var path: String
  var regionCode: String
}

extension MembersKeys {
  /// Creates a unit that is counted for the first time.
  func newUnit(
    id: String, _ identity: UnitIdentity, organizationID: String, created: Int64
  ) throws -> StoredUnit {
    let (key, wrapped) = try cipher.newPersonKey(person: id)
    let hashes = units.candidates(identity.key)
    var said = Unit()
    said.displayName = identity.name
    said.creditCode = identity.creditCode
    return StoredUnit(
      id: id, organizationID: organizationID, hash: hashes[0], olderHash: hashes.last,
      wrappedKey: wrapped,
      identity: try key.seal(try said.wireBytes(), table: UnitStore.table, column: "identity"),
      state: .counting, members: 0, crossings: 0, unionID: nil, version: 1, created: created)
  }

  func message(of unit: StoredUnit) throws -> Unit {
    let key = try cipher.personKey(unit.wrappedKey, person: unit.id)
    var message = try Unit(
      wireBytes: key.open(unit.identity, table: UnitStore.table, column: "identity"))
    message.name = "units/\(unit.id)"
    message.organization = "organizations/\(unit.organizationID)"
    message.state = unit.state
    message.members = unit.members
    message.crossings = unit.crossings
    message.union = unit.unionID.map { "organizations/\($0)" } ?? ""
    message.createTime = Timestamp(microseconds: unit.created)
    message.etag = Etag.text(unit.version)
    return message
  }
}

/// The SQL of units.
enum UnitStore {
  static let table = "units"

  private static let selection =
    "\(columns) FROM units AS u JOIN organizations AS o ON o.id = u.organization_id"

  private static let columns = """
    SELECT u.id, u.organization_id, u.hash, u.older_hash, u.wrapped_key, u.identity, u.state, \
    u.members, u.crossings, u.union_id, u.version, u.created, o.path, o.region_code
    """

  static func byID(_ id: String) -> Query<PlacedUnit?> {
    .first("\(selection) WHERE u.id = ?1", [id], placed)
  }

  static func byIDs(_ ids: [String]) -> Query<[PlacedUnit]> {
    let list = InList(ids)
    return .all("\(selection) WHERE u.id IN \(list.sql)", list.arguments, placed)
  }

  /// Returns the units with any of the hashes in any of the townships: a superset of the requested
  /// pairs.
  static func byHashes(_ hashes: [[UInt8]], of organizationIDs: [String]) -> Query<[PlacedUnit]> {
    let organizations = InList(organizationIDs)
    let list = InList(hashes, first: organizations.arguments.count + 1)
    return .all(
      """
      \(selection) WHERE u.id IN (
        SELECT id FROM units WHERE organization_id IN \(organizations.sql) AND hash IN \(list.sql)
        UNION
        SELECT id FROM units WHERE organization_id IN \(organizations.sql)
          AND older_hash IN \(list.sql))
      """, organizations.arguments + list.arguments, placed)
  }

  static func rows(_ states: [UnitState]) -> ListRows {
    ListRows(of: "units AS u WHERE u.state IN (\(numbers(states)))")
  }

  private static func numbers(_ states: [UnitState]) -> String {
    states.map { String($0.rawValue) }.joined(separator: ", ")
  }

  static func page(
    of range: PathRange, states: [UnitState], by plan: ListPlan, after path: String,
    _ id: String, limit: Int
  ) -> Query<[PlacedUnit]> {
    let column = plan.path("o.path")
    return .all(
      """
      \(columns) FROM \(plan.tables("units AS u"))
      WHERE o.id = u.organization_id AND \(column) >= ?1 AND \(column) < ?2 AND \(column) >= ?3
        AND (o.path, u.id) > (?3, ?4) AND u.state IN (\(numbers(states)))
      ORDER BY o.path, u.id LIMIT ?5
      """, [range.first, range.end, path, id, limit], placed)
  }

  /// Returns the units whose state depends on the threshold, in order of id.
  static func counting(after id: String, limit: Int) -> Query<[PlacedUnit]> {
    let states = [UnitState.counting, .dismissed].map { String($0.rawValue) }
      .joined(separator: ", ")
    return .all(
      "\(selection) WHERE u.id > ?1 AND u.state IN (\(states)) ORDER BY u.id LIMIT ?2",
      [id, limit], placed)
  }

  /// Returns the units whose people got an organization as their union.
  static func formed(by unionID: String) -> Query<[PlacedUnit]> {
    .all(
      "\(selection) WHERE u.union_id = ?1 AND u.state = \(formed) ORDER BY u.id", [unionID],
      placed)
  }

  /// A guard that detects a unit's union that was formed concurrently.
  static func noneFormed(by unionID: String) -> Statement {
    Statement(
      "UPDATE units SET version = version WHERE union_id = ?1 AND state = \(formed)", [unionID],
      expects: .exactly(0))
  }

  private static let formed = UnitState.unionFormed.rawValue

  /// Returns units in order of id, for key rotation.
  static func page(after id: String, limit: Int) -> Query<[StoredUnit]> {
    Query<[PlacedUnit]>.all(
      "\(selection) WHERE u.id > ?1 ORDER BY u.id LIMIT ?2", [id, limit], placed
    )
    .map { $0.map(\.unit) }
  }

  /// Inserts a unit; guarded by the absence of a unit with either hash in the township.
  static func insert(_ unit: StoredUnit) -> Statement {
    Statement(
      """
      INSERT INTO units (
        id, organization_id, hash, older_hash, wrapped_key, identity, state, members, crossings,
        union_id, version, created
      )
      SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12
      WHERE NOT EXISTS (
        SELECT 1 FROM units WHERE organization_id = ?2 AND hash IN (?3, ?4)
        UNION ALL SELECT 1 FROM units WHERE organization_id = ?2 AND older_hash IN (?3, ?4))
      """,
      [
        unit.id, unit.organizationID, unit.hash, unit.olderHash ?? unit.hash, unit.wrappedKey,
        unit.identity, unit.state.rawValue, unit.members, unit.crossings, unit.unionID,
        unit.version, unit.created,
      ], expects: .exactly(1))
  }

  /// - Parameter unit: The changed unit, with its version incremented.
  static func update(_ unit: StoredUnit) -> Statement {
    Statement(
      """
      UPDATE units SET state = ?2, members = ?3, crossings = ?4, union_id = ?5, version = ?6
      WHERE id = ?1 AND version = ?6 - 1
      """,
      [
        unit.id, unit.state.rawValue, unit.members, unit.crossings, unit.unionID, unit.version,
      ], expects: .exactly(1))
  }

  @Sendable private static func placed(_ row: Row) throws -> PlacedUnit {
    PlacedUnit(
      unit: StoredUnit(
        id: try row.text("id"), organizationID: try row.text("organization_id"),
        hash: try row.blob("hash"), olderHash: try row.optionalBlob("older_hash"),
        wrappedKey: try row.blob("wrapped_key"),
        identity: try row.blob("identity"), state: UnitState(rawValue: try row.int32("state")),
        members: try row.integer("members"), crossings: try row.int32("crossings"),
        unionID: try row.optionalText("union_id"), version: try row.integer("version"),
        created: try row.integer("created")),
      path: try row.text("path"), regionCode: try row.text("region_code"))
  }
}

extension OutboxEvent {
  /// Returns the event of a changed unit index. Pseudonymous: contains no name.
  static func changed(_ unit: StoredUnit) throws -> OutboxEvent {
    var message = UnitChanged()
    message.unit = "units/\(unit.id)"
    message.organization = "organizations/\(unit.organizationID)"
    message.state = unit.state
    message.members = unit.members
    message.crossings = unit.crossings
    message.union = unit.unionID.map { "organizations/\($0)" } ?? ""
    return OutboxEvent(
      entity: message.unit, version: unit.version, kind: MemberEventKind.unitChanged.rawValue,
      payload: try message.wireBytes())
  }
}
