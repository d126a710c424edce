import Storage

/// The numbers of members at which units open an index, by region.
///
/// A change of a threshold increments a version in its own commit. Every commit that decides about
/// a unit's state by thresholds is guarded by the version that it read, so that it cannot be stored
/// after a change that it has not seen. The same commit makes all units due for a review, which the
/// folds do a page at a time (``UnitFold``), whatever becomes of the process that made the change.
struct UnitThresholds: Sendable {
  /// The number of changes so far.
  private let version: Int64
  /// The last unit that was reviewed since the last change, empty for none; `nil` if all were.
  let reviewedTo: String?
  /// The thresholds of the regions that have settings of their own.
  private let byRegion: [String: Int]

  /// The present thresholds. A store whose units were never reviewed has no row with a version.
  static let current = Query<UnitThresholds>(
    """
    SELECT s.region_code, s.unit_threshold, t.version, t.reviewed_to
    FROM (SELECT 1 AS id) AS one
    LEFT JOIN unit_thresholds AS t ON t.id = one.id
    LEFT JOIN region_settings AS s ON one.id = 1
    """
  ) { rows in
    var byRegion: [String: Int] = [:]
    for row in rows {
      guard let region = try row.optionalText("region_code") else { continue }
      byRegion[region] = try row.int("unit_threshold")
    }
    guard let row = rows.first, try !row.isNull("version") else {
      return UnitThresholds(version: 0, reviewedTo: "", byRegion: byRegion)
    }
    return UnitThresholds(
      version: try row.integer("version"), reviewedTo: try row.optionalText("reviewed_to"),
      byRegion: byRegion)
  }

  /// Returns the threshold in a region: that of the smallest region with settings that contains it,
  /// or 25 by default (Trade Union Law, art. 11).
  func threshold(in regionCode: String) -> Int {
    let regions = [
      String(regionCode.prefix(6)), regionCode.prefix(4) + "00", regionCode.prefix(2) + "0000",
    ]
    return regions.lazy.compactMap { byRegion[$0] }.first ?? RegionSetting.unitThresholdNormal
  }

  /// A guard that detects a concurrent change of a threshold. It locks the row of the version, for
  /// which a change waits.
  var areStill: Statement {
    Statement(
      """
      INSERT INTO unit_thresholds (id, version, reviewed_to) VALUES (1, ?1, '')
      ON CONFLICT (id) DO UPDATE SET version = excluded.version
      WHERE unit_thresholds.version = excluded.version
      """, [version], expects: .exactly(1))
  }

  /// Returns the statement that records a reviewed page of units; guarded like ``areStill``, and
  /// against another review of the same page.
  ///
  /// - Parameter unitID: The last unit of the page; `nil` if it was the last page.
  func areReviewed(to unitID: String?) -> Statement {
    Statement(
      """
      INSERT INTO unit_thresholds (id, version, reviewed_to) VALUES (1, ?1, ?3)
      ON CONFLICT (id) DO UPDATE SET reviewed_to = excluded.reviewed_to
      WHERE unit_thresholds.version = excluded.version AND unit_thresholds.reviewed_to = ?2
      """, [version, reviewedTo, unitID], expects: .exactly(1))
  }
}

extension Commit {
  /// Makes all units due for a review. For commits that change a threshold.
  mutating func changeUnitThresholds() {
    run(
      """
      INSERT INTO unit_thresholds (id, version, reviewed_to) VALUES (1, 1, '')
      ON CONFLICT (id) DO UPDATE SET version = unit_thresholds.version + 1, reviewed_to = ''
      """, expects: .exactly(1))
  }
}
