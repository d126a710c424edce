public import Foundation

extension Database {
  /// The instant that retention periods are counted back from: now, but at most one day later than
  /// in the previous round, which is stored.
  ///
  /// Otherwise a clock that jumps ahead would make one round delete everything that has a retention
  /// period. With this bound a round deletes one day of data at most. After a long stop, catching
  /// up takes as many rounds as days have passed.
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
