public import Foundation

extension Database {
  /// From when on a round of housekeeping counts back to what is to be forgotten: now, but no more
  /// than a day after the round before.
  ///
  /// A clock that jumps ahead would otherwise delete at once, and for good, whatever is kept for a
  /// time. So it takes a day of the data a round, which somebody may notice; after a long stop what
  /// is due goes within as many rounds as there were days.
  public func forgettingInstant(at now: Date) async throws -> Date {
    try await write {
      .read(ForgettingSQL.last) { last in
        let day: Int64 = 86_400_000_000
        let now = now.microsecondsSince1970
        let instant = last.map { min(now, max(0, $0) &+ day) } ?? now
        let commit = Commit(
          at: Date(microsecondsSince1970: now),
          statements: [
            Statement(
              """
              INSERT INTO storage_meta (name, value) VALUES ('forgotten', ?1)
              ON CONFLICT (name) DO UPDATE SET value = excluded.value
              """, [instant], expects: .exactly(1))
          ])
        return .commit(commit, Date(microsecondsSince1970: instant))
      }
    }
  }
}

private enum ForgettingSQL {
  static let last = Query<Int64?>.first(
    "SELECT value FROM storage_meta WHERE name = 'forgotten'"
  ) { try $0.integer("value") }
}
