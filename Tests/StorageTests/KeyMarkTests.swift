import Foundation
import Storage
import TestStores
import Testing

@Suite("The keys of a store", .timeLimit(.minutes(2)))
struct KeyMarkTests {
  let first = Keyring.generate(at: now)

  private func named(_ keyring: Keyring, _ name: String = "hashes") -> [NamedKeyring] {
    [NamedKeyring(name: name, ring: LiveKeyring(keyring))]
  }

  private func refusal(_ body: () async throws -> Void) async -> String {
    do {
      try await body()
      return "(accepted)"
    } catch StorageError.keyring(let reason) {
      return reason
    } catch {
      return "\(error)"
    }
  }

  @Test(
    "the keyring of another store is refused, with its name and the key's number",
    arguments: Engine.allCases)
  func foreign(_ engine: Engine) async throws {
    try await engine.withStore { store in
      try await store.with { try await $0.markKeys(named(first)) }
      try await store.with { database in
        let other = named(.generate(at: now))
        let reason = await refusal { try await database.markKeys(other) }
        #expect(reason.contains("key 1 of hashes"), "\(reason)")
        #expect(reason.contains("another store"), "\(reason)")
        try await database.markKeys(named(first))
        try await database.markKeys(named(.generate(at: now), "fields"))
        #expect(try await database.keyMarks().map(\.keyring) == ["fields", "hashes"])
      }
    }
  }

  @Test(
    "a store restored from before a rotation is refused with the keys of after it",
    arguments: Engine.allCases)
  func rotated(_ engine: Engine) async throws {
    let second = first.adding(at: now)
    let after = second.keepingLast(1)
    try await engine.withStore { store in
      try await store.with { database in
        try await database.markKeys(named(first))
        let before = try await database.keyMarks()
        try await database.markKeys(named(second))
        #expect(try await database.keyMarks().map(\.key) == [1, 2])
        #expect(
          await refusal { try await database.markKeys(named(after)) }.contains("lacks key 1"))
        // A key that rows still need is kept; what nothing needs is forgotten.
        try await database.forgetKeys(named(second), besides: ["hashes": [1], "fields": [9]])
        #expect(try await database.keyMarks().map(\.key) == [1, 2])
        try await database.forgetKeys(named(second), besides: [:])
        try await database.markKeys(named(second))
        #expect(try await database.keyMarks().map(\.key) == [2])
        try await database.markKeys(named(after))
        #expect(
          await refusal { try await database.markKeys(named(first)) }.contains("lacks key 2"))
        let ring = named(after)[0]
        #expect(await refusal { try ring.check(against: before) }.contains("lacks key 1"))
      }
    }
  }

  @Test(
    "a store without marks is marked with every key, by several replicas at once, too",
    arguments: Engine.allCases)
  func unmarked(_ engine: Engine) async throws {
    let keyring = first.adding(at: now)
    try await engine.withDatabase { database in
      #expect(try await database.keyMarks().isEmpty)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<8 { group.addTask { try await database.markKeys(named(keyring)) } }
        try await group.waitForAll()
      }
      #expect(try await database.keyMarks().map(\.key) == [1, 2])
    }
  }

  @Test(
    "a write under an older key than another replica's is refused until the file is taken up",
    arguments: Engine.allCases)
  func outdated(_ engine: Engine) async throws {
    let path = FileManager.default.temporaryDirectory
      .appending(path: "yijia-keyring-\(UInt64.random(in: 0...UInt64.max))").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try first.write(to: path)
    let live = try LiveKeyring(contentsOf: path)
    let here = [NamedKeyring(name: "hashes", ring: live)]
    let (hash, cipher) = (KeyedHash(live, purpose: "note"), FieldCipher(first))
    let sealed = try cipher.seal("x", table: "note", column: "body", row: "a")
    try await engine.withDatabase { database in
      @Sendable func write(_ id: String) async throws {
        try await database.write {
          var commit = Commit(at: now)
          try commit.refuseOutdated(hashKey: hash.currentKeyID, sealed: sealed)
          commit.run(Notes.insert(id))
          return .commit(commit, ())
        }
      }
      try await write("unmarked")
      try await database.markKeys(here + named(first, "fields"))
      try await write("current")
      #expect(try await !database.takeUpNewerKeys(here))
      // Another replica takes up a keyring that was not copied here yet.
      let second = first.adding(at: now)
      try await database.markKeys(named(second))
      let others = (0..<8).map { index in
        Task { try await database.write(Commit(at: now, statements: [Notes.insert("\(index)")])) }
      }
      await #expect(throws: StorageError.outdatedKey) { try await write("refused") }
      for other in others { try await other.value }
      #expect(
        await refusal { _ = try await database.takeUpNewerKeys(here) }.contains("lacks key 2"))
      try second.write(to: path, replacing: true)
      #expect(try await database.takeUpNewerKeys(here))
      try await write("taken up")
      // The same for a newer key of the field keyring.
      try await database.markKeys(named(second, "fields"))
      await #expect(throws: StorageError.outdatedKey) { try await write("sealed") }
      #expect(try await database.read(Notes.count) == 3 + 8)
    }
  }

  @Test("a file that became another store's keyring is not reloaded")
  func reload() async throws {
    let path = FileManager.default.temporaryDirectory
      .appending(path: "yijia-keyring-\(UInt64.random(in: 0...UInt64.max))").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try first.write(to: path)
    let live = try LiveKeyring(contentsOf: path)
    try Keyring.generate(at: now).write(to: path, replacing: true)
    #expect(await refusal { try live.reload() }.contains(path))
    try first.adding(at: now).write(to: path, replacing: true)
    try live.reload()
    #expect(live.keyring.keys.map(\.id) == [1, 2])
  }
}
