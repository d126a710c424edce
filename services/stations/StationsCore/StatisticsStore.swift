import ServiceKit
import Storage

/// The SQL of the daily counters, which are updated in the commits of the visits.
enum StatisticsStore {
  /// The counters of a point for a day.
  struct PointDay: Sendable, Hashable {
    var point: String
    var displayName: String
    /// Days since 1970-01-01, in China.
    var day: Int64
    var count: DayCount
  }

  /// Returns the counters of one point, or of every point in a scope, by point and day.
  static func days(
    scope: Caller.Scope, point: String?, from first: Int64, through last: Int64, limit: Int
  ) -> Query<[PointDay]> {
    .all(
      """
      SELECT visit_day.point_id AS point_id, point.display_name AS display_name, day, matched,
        unmatched, anonymous, unique_members, set_aside
      FROM visit_day JOIN point ON point.id = visit_day.point_id
      WHERE (?2 = '' OR visit_day.point_id = ?2) AND day BETWEEN ?3 AND ?4
        AND (?1 = '' OR point.organization_id = ?1 OR EXISTS (
          SELECT 1 FROM organization_ancestor
          WHERE organization_id = point.organization_id AND ancestor_id = ?1))
      ORDER BY visit_day.point_id, day LIMIT ?5
      """, [scope.sqlKey, point ?? "", first, last, limit], decode)
  }

  /// Returns the counters of one point from a day on.
  static func kept(point: String, from first: Int64) -> Query<[PointDay]> {
    .all(
      """
      SELECT point_id, '' AS display_name, day, matched, unmatched, anonymous, unique_members,
        set_aside
      FROM visit_day WHERE point_id = ?1 AND day >= ?2 ORDER BY day
      """, [point, first], decode)
  }

  /// Recomputes the counters from the visits alone; `kept` must agree with the result.
  ///
  /// - Parameter point: Restricts the count to one point.
  static func recount(point: String? = nil, from first: Int64 = 0) -> Query<[PointDay]> {
    .all(
      """
      SELECT visit.point_id AS point_id, '' AS display_name, day,
        sum(CASE WHEN visit.state = 1 AND direction = 1 THEN 1 ELSE 0 END) AS matched,
        sum(CASE WHEN visit.state = 2 AND direction = 1 THEN 1 ELSE 0 END) AS unmatched,
        sum(CASE WHEN visit.state = 3 AND direction = 1 THEN 1 ELSE 0 END) AS anonymous,
        count(DISTINCT CASE WHEN visit.state = 1 AND direction = 1 THEN member_id END)
          AS unique_members,
        sum(CASE WHEN visit.state = 4 THEN 1 ELSE 0 END) AS set_aside
      FROM visit WHERE (direction = 1 OR state = 4) AND day >= ?1
        \(point == nil ? "" : "AND visit.point_id = ?2")
      GROUP BY visit.point_id, day ORDER BY visit.point_id, day
      """, [first] + (point.map { [$0] } ?? []), decode)
  }

  /// Returns those of the pairs that are counted already.
  static func known(
    _ pairs: [DayCount.MemberDay], point: String
  ) -> Query<Set<DayCount.MemberDay>> {
    let days = InList(Array(Set(pairs.map(\.day))).sorted(), first: 2)
    let members = InList(
      Array(Set(pairs.map(\.member))).sorted(), first: 2 + days.arguments.count)
    return Query(
      """
      SELECT day, member_id FROM visit_day_member
      WHERE point_id = ?1 AND day IN \(days.sql) AND member_id IN \(members.sql)
      """, [point] + days.arguments + members.arguments
    ) { rows in
      Set(
        try rows.map {
          DayCount.MemberDay(day: try $0.integer("day"), member: try $0.text("member_id"))
        })
    }
  }

  /// Adds to the counters of a point, guarded by each new member not being counted for the day yet.
  static func add(
    _ days: [Int64: DayCount], newMembers: [DayCount.MemberDay], point: String,
    in commit: inout Commit
  ) {
    for member in newMembers {
      commit.run(
        """
        INSERT INTO visit_day_member (point_id, day, member_id) VALUES (?1, ?2, ?3)
        ON CONFLICT (point_id, day, member_id) DO NOTHING
        """, [point, member.day, member.member], expects: .exactly(1))
    }
    for (day, count) in days.sorted(by: { $0.key < $1.key }) {
      commit.run(
        """
        INSERT INTO visit_day (
          point_id, day, matched, unmatched, anonymous, unique_members, set_aside)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (point_id, day) DO UPDATE SET
          matched = visit_day.matched + excluded.matched,
          unmatched = visit_day.unmatched + excluded.unmatched,
          anonymous = visit_day.anonymous + excluded.anonymous,
          unique_members = visit_day.unique_members + excluded.unique_members,
          set_aside = visit_day.set_aside + excluded.set_aside
        """,
        [
          point, day, count.matched, count.unmatched, count.anonymous, count.uniqueMembers,
          count.setAside,
        ], expects: .exactly(1))
    }
  }

  private static func decode(_ row: Row) throws -> PointDay {
    PointDay(
      point: try row.text("point_id"), displayName: try row.text("display_name"),
      day: try row.integer("day"),
      count: DayCount(
        matched: try row.integer("matched"), unmatched: try row.integer("unmatched"),
        anonymous: try row.integer("anonymous"),
        uniqueMembers: try row.integer("unique_members"),
        setAside: try row.integer("set_aside")))
  }
}
