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
