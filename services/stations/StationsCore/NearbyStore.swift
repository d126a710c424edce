import Storage

/// The SQL of the nearby search: latitude bands and a B-tree on the longitude find candidates,
/// which are ordered by the squared chord between unit vectors. That is plain arithmetic, so both
/// engines give the same results, and it increases monotonically with the distance.
enum NearbyStore {
  /// A point and its squared chord from the center, on the unit sphere.
  struct Found: Sendable {
    var point: StoredPoint
    var chordSquared: Double

    var distanceMeters: Double { UnitVector.meters(chordSquared: chordSquared) }
  }

  /// The parameters of a search.
  struct Search: Sendable {
    var center: Coordinates
    /// Facilities that a point must have, all of them.
    var facilities: FacilitySet
    /// Mask of the kinds, one of which a point must have.
    var kinds: Int64
    /// The last point of the previous page.
    var after: (chordSquared: Double, id: String)?
  }

  /// Returns the queries for open points within `radius` meters, ordered by distance, then id: one
  /// for each range of longitudes. Their rows have to be merged.
  static func queries(_ search: Search, radius: Double, limit: Int) -> [Query<[Found]>] {
    let box = GreatCircle.box(around: search.center, radius: radius)
    let center = UnitVector(search.center)
    let bands = (
      LatitudeBand.number(latitude: box.latitudes.lowerBound),
      LatitudeBand.number(latitude: box.latitudes.upperBound)
    )
    return box.longitudes.map { longitudes in
      Query.all(
        sql,
        [
          bands.0, bands.1, longitudes.lowerBound, longitudes.upperBound,
          center.x, center.y, center.z, UnitVector.chordSquared(meters: radius),
          search.after?.chordSquared ?? -1, search.after?.id ?? "",
          search.facilities.bits, search.kinds, limit,
        ]
      ) { row in
        Found(point: try PointStore.decode(row), chordSquared: try row.real("chord"))
      }
    }
  }

  /// `point.state = 3` (OPEN) is a literal so that the partial index applies.
  private static let sql = """
    WITH RECURSIVE band (number) AS (
      SELECT CAST(?1 AS INTEGER) UNION ALL SELECT number + 1 FROM band WHERE number < ?2
    ),
    candidate (id, chord) AS (
      SELECT point.id,
        (point.x - ?5) * (point.x - ?5) + (point.y - ?6) * (point.y - ?6)
          + (point.z - ?7) * (point.z - ?7)
      FROM band CROSS JOIN point
      WHERE point.state = 3 AND point.band = band.number
        AND point.longitude BETWEEN ?3 AND ?4
        AND (point.features & ?11) = ?11 AND (point.features & ?12) <> 0
    ),
    nearest (id, chord) AS (
      SELECT id, chord FROM candidate
      WHERE chord <= ?8 AND (chord > ?9 OR (chord = ?9 AND id > ?10))
      ORDER BY chord, id LIMIT ?13
    )
    SELECT nearest.chord AS chord, \(PointStore.columns)
    FROM nearest JOIN point ON point.id = nearest.id
    ORDER BY nearest.chord, nearest.id
    """
}
