import ServiceKit
import StationsV1
import Storage

/// The SQL of points.
enum PointStore {
  static let columns = """
    point.id, point.version, point.display_name, point.kind, point.state, point.latitude, \
    point.longitude, point.address, point.region_code, point.facilities, point.capacity, \
    point.organization_id, point.created_at
    """

  /// A point, and whether it is within a scope.
  struct Scoped: Sendable {
    var point: StoredPoint
    var isInScope: Bool
  }

  static func byID(_ id: String) -> Query<StoredPoint?> {
    .first("SELECT \(columns) FROM point WHERE point.id = ?1", [id], decode)
  }

  /// Returns a point, and whether it is within the caller's scope.
  static func scoped(_ id: String, for caller: Caller) -> Query<Scoped?> {
    .first(
      """
      SELECT \(columns),
        CASE WHEN ?2 = '' OR point.organization_id = ?2 OR EXISTS (
          SELECT 1 FROM organization_ancestor
          WHERE organization_id = point.organization_id AND ancestor_id = ?2
        ) THEN 1 ELSE 0 END AS in_scope
      FROM point WHERE point.id = ?1
      """, [id, caller.scope.sqlKey]
    ) { row in
      Scoped(point: try decode(row), isInScope: try row.boolean("in_scope"))
    }
  }

  /// Returns the states of a point in chronological order.
  static func history(_ id: String) -> Query<PointHistory> {
    Query("SELECT state, from_at FROM point_state WHERE point_id = ?1 ORDER BY version", [id]) {
      PointHistory(
        entries: try $0.map { row in
          PointHistory.Entry(
            from: try row.integer("from_at"), state: PointState(rawValue: try row.int32("state")))
        })
    }
  }

  static func insert(_ point: StoredPoint, into commit: inout Commit) {
    let vector = UnitVector(point.place)
    commit.run(
      """
      INSERT INTO point (
        id, version, display_name, kind, state, latitude, longitude, band, x, y, z, features,
        address, region_code, facilities, capacity, organization_id, created_at)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
      """,
      [
        point.id, point.version, point.displayName, point.kind.rawValue, point.state.rawValue,
        point.place.latitude, point.place.longitude,
        LatitudeBand.number(latitude: point.place.latitude), vector.x, vector.y, vector.z,
        PointFeatures.bits(facilities: point.facilities, kind: point.kind), point.address,
        point.regionCode, point.facilities.bits, point.capacity, point.organization,
        point.createdAt,
      ], expects: .exactly(1))
    commit.run(
      "INSERT INTO visit_tally (point_id, last_number) VALUES (?1, 0)", [point.id],
      expects: .exactly(1))
    remember(point, from: point.createdAt, in: &commit)
  }

  /// Stores the state of `point`, whose version is one above the stored version.
  static func setState(of point: StoredPoint, at now: Int64, in commit: inout Commit) {
    commit.run(
      "UPDATE point SET state = ?2, version = ?3 WHERE id = ?1 AND version = ?4",
      [point.id, point.state.rawValue, point.version, point.version - 1], expects: .exactly(1))
    remember(point, from: now, in: &commit)
  }

  private static func remember(_ point: StoredPoint, from: Int64, in commit: inout Commit) {
    commit.run(
      "INSERT INTO point_state (point_id, version, state, from_at) VALUES (?1, ?2, ?3, ?4)",
      [point.id, point.version, point.state.rawValue, from], expects: .exactly(1))
  }

  static func decode(_ row: Row) throws -> StoredPoint {
    StoredPoint(
      id: try row.text("id"), version: try row.integer("version"),
      displayName: try row.text("display_name"), kind: PointKind(rawValue: try row.int32("kind")),
      state: PointState(rawValue: try row.int32("state")),
      place: Coordinates(
        latitude: try row.real("latitude"), longitude: try row.real("longitude")),
      address: try row.text("address"), regionCode: try row.text("region_code"),
      facilities: FacilitySet(bits: try row.integer("facilities")),
      capacity: try row.int32("capacity"), organization: try row.text("organization_id"),
      createdAt: try row.integer("created_at"))
  }
}
