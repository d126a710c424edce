import Foundation
import Storage
import TestStores
import Testing

@Suite("Request ledger", .timeLimit(.minutes(2)))
struct LedgerTests {
  let ledger = RequestLedger(FieldCipher(Keyring.generate(at: now)))

  func key(_ id: String, caller: String = "partners/a", method: String = "/s/m") -> RequestKey {
    RequestKey(caller: caller, method: method, requestID: id)
  }

  /// Inserts one more note, and replies with the number of notes.
  func write(
    _ database: any Database, _ key: RequestKey, payload: String = "p", runs: Counter = Counter()
  ) async throws -> [UInt8] {
    let ledger = ledger
    return try await database.write {
      ledger.once(key, payload: Array(payload.utf8), at: now) {
        .read(Notes.count) { count in
          runs.next()
          let commit = Commit(at: now, statements: [Notes.insert("note \(count)")])
          return .commit(commit, [UInt8(count + 1)])
        }
      }
    }
  }

  @Test(
    "the same id and payload return the first reply, also after a reopening",
    arguments: Engine.allCases)
  func replay(_ engine: Engine) async throws {
    try await engine.withStore { (store) async throws in
      let runs = Counter()
      try await store.withNotes { (database) async throws in
        #expect(try await write(database, key("1"), runs: runs) == [1])
        #expect(try await write(database, key("1"), runs: runs) == [1])
        #expect(try await write(database, key("2"), runs: runs) == [2])
      }
      try await store.withNotes { (database) async throws in
        #expect(try await write(database, key("1"), runs: runs) == [1])
        #expect(try await database.read(Notes.count) == 2)
      }
      #expect(runs.value == 2)
    }
  }

  @Test("two concurrent callers with one id do the work once", arguments: Engine.allCases)
  func concurrent(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let replies = try await withThrowingTaskGroup(of: [UInt8].self) { (group) async throws in
        for _ in 0..<32 { group.addTask { try await write(database, key("1")) } }
        return try await group.reduce(into: [[UInt8]]()) { $0.append($1) }
      }
      #expect(replies == Array(repeating: [1], count: 32))
      #expect(try await database.read(Notes.count) == 1)
    }
  }

  @Test("another payload under the same id is refused", arguments: Engine.allCases)
  func reused(_ engine: Engine) async throws {
    try await engine.withDatabase { (database) async throws in
      _ = try await write(database, key("1"))
      await #expect(throws: StorageError.requestIDReused) {
        try await write(database, key("1"), payload: "other")
      }
      #expect(try await write(database, key("1")) == [1])
    }
  }

  @Test("an id belongs to its caller and method", arguments: Engine.allCases)
  func scoped(_ engine: Engine) async throws {
    try await engine.withDatabase { (database) async throws in
      #expect(try await write(database, key("1")) == [1])
      #expect(try await write(database, key("1", caller: "partners/b"), payload: "x") == [2])
      #expect(try await write(database, key("1", method: "/s/n"), payload: "y") == [3])
    }
  }

  @Test("a refusal is not recorded; a reply without a commit is", arguments: Engine.allCases)
  func refusals(_ engine: Engine) async throws {
    struct Refused: Error {}
    let ledger = ledger
    try await engine.withDatabase { database in
      await #expect(throws: Refused.self) {
        try await database.write {
          ledger.once(key("1"), payload: [1], at: now) { () -> Step<[UInt8]> in throw Refused() }
        }
      }
      #expect(try await write(database, key("1"), payload: "other") == [1])
      let runs = Counter()
      for _ in 0..<2 {
        let reply = try await database.write {
          ledger.once(key("2"), payload: [1], at: now) { .reply([UInt8(runs.next())]) }
        }
        #expect(reply == [1])
      }
    }
  }

  @Test("the stored data reveal neither payload nor reply", arguments: Engine.allCases)
  func sealed(_ engine: Engine) async throws {
    let ledger = ledger
    let secret = Array("110105194912310028X".utf8)
    try await engine.withDatabase { database in
      _ = try await database.write {
        ledger.once(key("1"), payload: secret, at: now) { .reply(secret) }
      }
      let rows = try await database.read(
        Query("SELECT id, payload, reply FROM storage_request") { $0 })
      #expect(rows.count == 1)
      for case .blob(let bytes) in rows.flatMap(\.values) {
        #expect(bytes.indices.allSatisfy { !bytes[$0...].starts(with: secret) })
      }
    }
  }

  @Test("a reply outlives a key rotation", arguments: Engine.allCases)
  func rotation(_ engine: Engine) async throws {
    try await engine.withDatabase { (database) async throws in
      let keyring = Keyring.generate(at: now)
      let reply: @Sendable (Keyring) async throws -> [UInt8] = { (keyring) async throws in
        let ledger = RequestLedger(FieldCipher(keyring))
        return try await database.write {
          ledger.once(key("1"), payload: [7], at: now) { .reply([UInt8(keyring.current.id)]) }
        }
      }
      #expect(try await reply(keyring) == [1])
      #expect(try await reply(keyring.adding(at: now)) == [1])
      await #expect(throws: StorageError.unknownKey(1)) {
        try await reply(keyring.adding(at: now).keepingLast(1))
      }
    }
  }

  @Test("replies are counted by the key that sealed them, page by page", arguments: Engine.allCases)
  func byKey(_ engine: Engine) async throws {
    let first = Keyring.generate(at: now)
    let ledgers = [first, first.adding(at: now)].map { RequestLedger(FieldCipher($0)) }
    try await engine.withDatabase { database in
      #expect(try await database.requestsByKey().isEmpty)
      for index in 0..<12 {
        let (ledger, id) = (ledgers[index % 3 == 0 ? 1 : 0], key("\(index)"))
        _ = try await database.write {
          ledger.once(id, payload: [1], at: now) { .reply([1]) }
        }
      }
      for rows in [1, 5, 12, 13] {
        #expect(try await database.requestsByKey(rowsPerRead: rows) == [1: 8, 2: 4])
      }
    }
  }

  @Test("old ids are purged in small commits, recent ones stay", arguments: Engine.allCases)
  func purge(_ engine: Engine) async throws {
    let ledger = ledger
    try await engine.withDatabase { database in
      let old = Limits.rowsPerPurge + 3
      try await withThrowingTaskGroup(of: Void.self) { group in
        for index in 0..<(old + 2) {
          group.addTask {
            let time = index < old ? now.addingTimeInterval(-10) : now
            _ = try await database.write {
              ledger.once(key("\(index)"), payload: [1], at: time) { .reply([1]) }
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await database.purgeRequests(before: now) == old)
      #expect(try await database.purgeRequests(before: now) == 0)
    }
  }
}
