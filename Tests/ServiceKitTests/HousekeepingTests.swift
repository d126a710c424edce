import Foundation
import ServiceKit
import Storage
import TestStores
import Testing

@Suite("Housekeeping", .timeLimit(.minutes(2)))
struct HousekeepingTests {
  /// Declares a monthly table that does not exist.
  private struct Upkeep: ServiceUpkeep {
    let feedLag: FeedLag
    var keyrings: [(name: String, ring: LiveKeyring)] { [] }
    var monthlyTables: [MonthlyTable] { [MonthlyTable("none", by: "time", monthsKept: 1)] }

    func currentVersions(of entities: [String]) -> Query<[String: Int64]> {
      .constant([:])
    }

    func renewKeys(report: TaskReport) async throws -> [KeyNeed] { [] }
    func recount(report: TaskReport) async throws -> [String] { [] }
  }

  @Test("a failing step does not prevent the others from purging", arguments: Engine.allCases)
  func apart(_ engine: Engine) async throws {
    try await engine.withStore { store in
      try await store.with { database in
        let now = Date(timeIntervalSince1970: 1_800_000_000)
        let event = OutboxEvent(entity: "a/1", version: 1, kind: "a", payload: [])
        try await database.write(Commit(at: now - 10 * 86_400, events: [event]))
        let housekeeping = Housekeeping(
          database: database,
          upkeep: Upkeep(feedLag: FeedLag(database: database, clock: Clock { now })),
          clock: Clock { now }, feedRetentionDays: 5)
        await #expect(throws: StorageError.self) { try await housekeeping.forget() }
        #expect(try await database.feed(after: .start).isEmpty)
      }
    }
  }
}
