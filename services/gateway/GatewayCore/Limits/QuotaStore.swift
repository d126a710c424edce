import Foundation
import Storage

/// The SQL of daily quotas: the calls leased per partner, method and day.
enum QuotaStore {
  /// Returns what was leased of a partner's methods on a day.
  static func usage(of partner: String, day: Int64) -> Query<[(path: String, calls: Int64)]> {
    .all(
      "SELECT path, leased FROM quota_day WHERE partner = ?1 AND day = ?2 ORDER BY path",
      [partner, day]
    ) { (try $0.text("path"), try $0.integer("leased")) }
  }

  /// Leases up to `count` calls of a day; replies with the number granted, 0 where none is left.
  static func lease(
    partner: String, path: String, day: Int64, count: Int64, quota: Int64, at now: Date
  ) -> Step<Int64> {
    .read(leased(partner, path, day)) { before in
      let granted = max(0, min(count, quota - (before ?? 0)))
      guard granted > 0 else { return .reply(0) }
      var commit = Commit(at: now)
      if let before {
        commit.run(
          """
          UPDATE quota_day SET leased = ?4 WHERE partner = ?1 AND path = ?2 AND day = ?3
            AND leased = ?5
          """, [partner, path, day, before + granted, before], expects: .exactly(1))
      } else {
        commit.run(
          """
          INSERT INTO quota_day (partner, path, day, leased) VALUES (?1, ?2, ?3, ?4)
          ON CONFLICT (partner, path, day) DO NOTHING
          """, [partner, path, day, granted], expects: .exactly(1))
      }
      return .commit(commit, granted)
    }
  }

  /// Returns the unused calls of a lease.
  static func giveBack(partner: String, path: String, day: Int64, _ count: Int64) -> Statement {
    Statement(
      """
      UPDATE quota_day SET leased = leased - ?4 WHERE partner = ?1 AND path = ?2 AND day = ?3
      """, [partner, path, day, count], expects: .any)
  }

  /// Deletes the rows of days before `day`.
  static func purge(before day: Int64) -> Statement {
    Statement("DELETE FROM quota_day WHERE day < ?1", [day], expects: .any)
  }

  private static func leased(_ partner: String, _ path: String, _ day: Int64) -> Query<Int64?> {
    .first(
      "SELECT leased FROM quota_day WHERE partner = ?1 AND path = ?2 AND day = ?3",
      [partner, path, day]
    ) { try $0.integer("leased") }
  }
}
