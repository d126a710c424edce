import Foundation
import Storage
import StorageSQLite
import TestStores
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// A process is killed repeatedly while it writes; the next one checks the store it left.
///
/// SIGKILL preserves the page cache: this shows that no acknowledged write depends on the process,
/// not that the disk has it (`synchronous`, which is checked elsewhere, ensures that).
@Suite("Kill", .serialized, .timeLimit(.minutes(5)))
struct CrashTests {
  @Test("a write acknowledged before a kill is stored once, any other at most once")
  func killed() async throws {
    try await Engine.sqlite.withStore { store in
      let ledger = try Keyring(contentsOf: store.folder.path + "/keys", orGenerateAt: now)
      var acknowledgedInAll = 0
      for round in 0..<8 {
        // Some rounds are killed while migrating and opening, most while writing.
        let acknowledgements = 40 * round
        let folder = store.folder.path
        await #expect(processExitsWith: .signal(SIGKILL)) {
          [folder = folder as String, round = round as Int, count = acknowledgements as Int] in
          try await Victim(folder: folder, round: round).run(dieAfter: count)
        }
        acknowledgedInAll += try await check(store, round: round, ledger: ledger)
      }
      #expect(acknowledgedInAll >= 40 * 7)
    }
  }

  /// - Returns: The number of writes that the round acknowledged.
  private func check(_ store: TestStore, round: Int, ledger keyring: Keyring) async throws -> Int {
    var count = 0
    try await store.withNotes { database in
      let acknowledged = Set(
        try String(contentsOfFile: "\(store.folder.path)/acknowledged.\(round)", encoding: .utf8)
          .split(separator: "\n").map(String.init))
      let notes = try await database.read(Notes.page(after: nil, limit: 100_000))
      let stored = Set(notes.map(\.id).filter { $0.hasPrefix("\(round).") })
      #expect(acknowledged.subtracting(stored).isEmpty, "acknowledged and lost")
      count = acknowledged.count

      let report = try await database.verifyAudit()
      #expect(report.isIntact)
      #expect(report.rows == notes.count, "an entry a note")
      var entities: [String] = []
      var cursor = FeedCursor.start
      while let last = try await { () async throws -> FeedCursor? in
        let events = try await database.feed(after: cursor)
        entities += events.map(\.entity)
        return events.last?.cursor
      }() { cursor = last }
      #expect(entities.sorted() == notes.map { "notes/\($0.id)" }.sorted(), "an event a note")

      // A retry of everything, acknowledged or not, adds only what is missing.
      let ledger = RequestLedger(FieldCipher(keyring))
      for id in stored {
        let reply = try await database.write { Victim.write(id, ledger) }
        #expect(reply == Array(id.utf8))
      }
      #expect(try await database.read(Notes.count) == notes.count)
    }
    return count
  }
}

/// The process that is killed: 32 writers, each acknowledged write recorded in a file.
struct Victim: Sendable {
  let folder: String
  let round: Int

  func run(dieAfter acknowledgements: Int) async throws {
    let keyring = try Keyring(contentsOf: folder + "/keys")
    let ledger = RequestLedger(FieldCipher(keyring))
    let log = open("\(folder)/acknowledged.\(round)", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    precondition(log >= 0)
    let database = try await SQLiteDatabase.open(url: "sqlite:\(folder)/store.db")
    try await database.migrate(Notes.migrations)
    let count = Counter()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<32 {
        group.addTask {
          for index in 0... {
            let id = "\(round).\(writer).\(index)"
            _ = try await database.write { Victim.write(id, ledger) }
            let line = Array("\(id)\n".utf8)
            precondition(Glibc.write(log, line, line.count) == line.count)
            // Other writers are in the middle of their commit at this time.
            if count.next() >= acknowledgements { kill(getpid(), SIGKILL) }
          }
        }
      }
      try await group.waitForAll()
    }
  }

  static func write(_ id: String, _ ledger: RequestLedger) -> Step<[UInt8]> {
    ledger.once(
      RequestKey(caller: "tests", method: "write", requestID: id), payload: Array(id.utf8), at: now
    ) {
      .commit(
        Commit(
          at: now, statements: [Notes.insert(id)], events: [Notes.event(id)],
          audit: [Notes.audit(id)]), Array(id.utf8))
    }
  }
}
