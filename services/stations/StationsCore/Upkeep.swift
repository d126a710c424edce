public import ServiceKit
public import Storage

extension StationsService: ServiceUpkeep {
  public var keyrings: [(name: String, ring: LiveKeyring)] {
    [("fields", keys.fields), ("page-tokens", keys.pageTokens)]
  }

  public var monthlyTables: [MonthlyTable] {
    var visits = StationsMigrations.visitMonths
    visits.monthsKept = visitMonthsKept
    return [visits]
  }

  /// Points and kiosks: the gateway reads every kiosk's key from the feed at each start.
  public func currentVersions(of entities: [String]) -> Query<[String: Int64]> {
    let list = InList(entities.map { String($0.drop { $0 != "/" }.dropFirst()) })
    return Query(
      """
      SELECT 'kiosks/' || id AS entity, version FROM kiosk WHERE id IN \(list.sql)
      UNION ALL SELECT 'points/' || id AS entity, version FROM point WHERE id IN \(list.sql)
      """, list.arguments
    ) { rows in
      try Dictionary(
        uniqueKeysWithValues: rows.map { (try $0.text("entity"), try $0.integer("version")) })
    }
  }

  /// Only the replies in the request ledger are encrypted, and those expire by themselves.
  public func renewKeys(report: TaskReport) async throws -> [KeyNeed] {
    try await database.ledgerNeeds(besides: keys.fields.keyring.current.id)
  }

  /// Recounts the visits of each day, one point at a time, with counter and count read from one
  /// snapshot. Covers the days whose visits are all kept.
  public func recount(report: TaskReport) async throws -> [String] {
    // Counters are by day of the visit, retention is by time of receipt, which has no index: all
    // visits are read for it, so only where some are gone.
    var first: Int64 = 0
    if visitMonthsKept != nil {
      let oldest = try await database.read(
        Query<Int64?>.one("SELECT min(received_at) AS first FROM visit") {
          try $0.optionalInteger("first")
        })
      first = Int64(ChinaDate(microseconds: oldest ?? clock.microseconds).daysSinceEpoch) + 1
    }
    var findings: [String] = []
    var (after, done) = ("", 0)
    while true {
      let last = after
      let points = try await database.read(
        Query<[String]>.all("SELECT id FROM point WHERE id > ?1 ORDER BY id LIMIT 100", [last]) {
          try $0.text("id")
        })
      for point in points {
        let (kept, counted) = try await database.read(
          StatisticsStore.kept(point: point, from: first),
          StatisticsStore.recount(point: point, from: first))
        findings += Self.differences(kept, counted)
      }
      done += points.count
      try await report("points", done, 0)
      guard let next = points.last else { return findings }
      after = next
    }
  }

  private static func differences(
    _ kept: [StatisticsStore.PointDay], _ counted: [StatisticsStore.PointDay]
  ) -> [String] {
    let said = Dictionary(uniqueKeysWithValues: kept.map { ($0.day, $0.count) })
    let found = Dictionary(uniqueKeysWithValues: counted.map { ($0.day, $0.count) })
    let point = (kept.first ?? counted.first)?.point ?? ""
    return Set(said.keys).union(found.keys).sorted()
      .filter { said[$0] ?? DayCount() != found[$0] ?? DayCount() }
      .map { day in
        """
        points/\(point), day \(day): the counters say \(said[day] ?? DayCount()), a count \
        \(found[day] ?? DayCount())
        """
      }
  }
}
