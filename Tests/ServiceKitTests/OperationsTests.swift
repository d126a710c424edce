import Foundation
import Logging
import OperationsV1
import RPC
import RPCInProcess
import Storage
import TestStores
import Testing

@testable import ServiceKit

@Suite("What operators do with a running service", .timeLimit(.minutes(2)))
struct OperationsTests {
  private struct Upkeep: ServiceUpkeep {
    let database: any Database
    let feedLag: FeedLag
    var keyrings: [(name: String, ring: LiveKeyring)] { [] }
    var monthlyTables: [MonthlyTable] { [] }

    func currentVersions(of entities: [String]) -> Query<[String: Int64]> {
      .constant([:])
    }

    func renewKeys(report: TaskReport) async throws -> [KeyNeed] {
      try await report("rows", 1, 2)
      return [KeyNeed(keyring: "fields", key: 1, rows: 3, reason: "rows of a test")]
    }

    func recount(report: TaskReport) async throws -> [String] { ["one is wrong"] }
  }

  private static let now = Date(timeIntervalSince1970: 1_800_000_000)

  private static func run(
    _ task: RunTaskRequest.Task?, on database: any Database
  ) async throws -> (progress: [TaskProgress], result: TaskResult) {
    let upkeep = Upkeep(
      database: database, feedLag: FeedLag(database: database, clock: Clock { now }))
    let channel = try InProcessChannel(
      services: [OperationsService(database: database, upkeep: upkeep)],
      interceptors: [
        FailureMapping(
          domain: "tests", logger: Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() })
      ])
    var request = RunTaskRequest()
    request.task = task
    var progress: [TaskProgress] = []
    for try await response in try await OperationsServiceClient(channel).runTask(request) {
      switch response.event {
      case .progress(let step): progress.append(step)
      case .result(let result): return (progress, result)
      case nil: break
      }
    }
    throw RPCError(.internalError, "no result")
  }

  @Test("a task reports its progress, and its result last", arguments: Engine.allCases)
  func tasks(_ engine: Engine) async throws {
    try await engine.withStore { store in
      try await store.with { database in
        let entry = AuditEntry(actor: "a", action: "b", target: "c")
        try await database.write(Commit(at: Self.now, audit: [entry, entry]))
        let (steps, audit) = try await Self.run(.verifyAudit(VerifyAuditTask()), on: database)
        #expect(steps.last?.done == 2)
        #expect(audit.sound)
        #expect(audit.heads.map(\.sequence) == [2])
        var again = VerifyAuditTask()
        again.anchors = audit.heads
        try await database.write(
          Commit(
            at: Self.now,
            statements: [Statement("UPDATE storage_audit SET actor = 'x' WHERE sequence = 2")]))
        #expect(try await !Self.run(.verifyAudit(again), on: database).result.sound)
        let keys = try await Self.run(.rotateKeys(RotateKeysTask()), on: database).result
        #expect(keys.keyUses.map(\.rows) == [3])
        let count = try await Self.run(
          .recountStatistics(RecountStatisticsTask()), on: database
        ).result
        #expect(!count.sound)
        #expect(count.findings == ["one is wrong"])
        await #expect(throws: RPCError.self) { try await Self.run(nil, on: database) }
      }
    }
  }

  @Test("a backup is made where nothing exists, on SQLite; otherwise the task is refused")
  func backup() async throws {
    for engine in Engine.allCases {
      try await engine.withStore { store in
        try await store.with { database in
          var task = CreateBackupTask()
          task.path = store.folder.appending(path: "copy").path
          if engine == .sqlite {
            let (steps, result) = try await Self.run(.createBackup(task), on: database)
            #expect(result.sound)
            #expect((steps.last?.done ?? 0) > 0)
          }
          let refused = await #expect(throws: RPCError.self) {
            try await Self.run(.createBackup(task), on: database)
          }
          #expect(refused?.code == .failedPrecondition)
          #expect(refused?.message.contains("File exists") == (engine == .sqlite))
          task.path = "relative"
          await #expect(throws: RPCError.self) {
            try await Self.run(.createBackup(task), on: database)
          }
        }
      }
    }
  }

  @Test(
    "the lag of a consumer is known in events and in seconds", arguments: Engine.allCases)
  func lag(_ engine: Engine) async throws {
    try await engine.withStore { store in
      try await store.with { database in
        let lag = FeedLag(database: database, clock: Clock { Self.now })
        #expect(try await lag.refresh() == [:])
        for index in 0..<10 {
          let event = OutboxEvent(entity: "e/\(index)", version: 1, kind: "k", payload: [])
          try await database.write(
            Commit(at: Self.now.addingTimeInterval(Double(index) * 10 - 100), events: [event]))
        }
        let events = try await database.feed(after: .start)
        lag.note("services/late", at: .start)
        lag.note("services/half", at: events[4].cursor)
        lag.note("services/here", at: events[9].cursor)
        let distances = try await lag.refresh()
        #expect(distances["services/late"] == .init(events: 10, seconds: 100))
        #expect(distances["services/half"] == .init(events: 5, seconds: 50))
        #expect(distances["services/here"] == .init(events: 0, seconds: 0))
        // Another replica, or this one after a restart.
        let other = FeedLag(database: database, clock: Clock { Self.now })
        #expect(try await other.refresh() == distances)
        other.note("services/late", at: events[9].cursor)
        #expect(try await other.refresh()["services/late"]?.events == 0)
        #expect(try await lag.refresh()["services/late"]?.events == 0)
      }
    }
  }
}
