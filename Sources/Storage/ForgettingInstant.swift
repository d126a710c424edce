public import Foundation

extension Database {
  /// Returns the instant from which retention periods are counted back: now, but at most one day
  /// after the instant of the previous round, which is stored.
  ///
  /// Without this bound, a clock that jumps ahead would make one round delete everything that has a
  /// retention period. With it, a round deletes at most one day of data. After a long downtime,
  /// catching up takes as many rounds as days have passed.
  public func forgettingInstant(at now: Date) async throws -> Date {
    try await write {
      .read(ForgettingSQL.last) { last in
        let day: Int64 = 86_400_000_000
        let now = now.microseconds
        let instant = last.map { min(now, max(0, $0) &+ day) } ?? now
        let commit = Commit(
          at: Date(microseconds: now),
          statements: [
            Statement(
              """
              INSERT INTO storage_meta (name, value) VALUES ('forgotten', ?1)
              ON CONFLICT (name) DO UPDATE SET value = excluded.value
              """, [instant], expects: .exactly(1))
          ])
        return .commit(commit, Date(microseconds: instant))
      }
    }
  }
}

private enum ForgettingSQL {
  static let last = Query<Int64?>.first(
    "SELECT value FROM storage_meta WHERE name = 'forgotten'"
  ) { try $0.integer("value") }
}
