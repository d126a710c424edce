import Foundation
import MembersV1
import ServiceKit
import Storage
import Synchronization
import TestStores
import Testing

@testable import MembersCore

@Suite("Keys rotate beside the work", .timeLimit(.minutes(5)))
struct UpkeepTests {
  /// Keyring files in the store's folder.
  struct Rings {
    let folder: URL

    init(_ harness: Harness) throws {
      folder = harness.store.folder.appending(path: "keys")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      for name in ["fields", "hashes", "page-tokens"] {
        try Keyring.generate(at: harness.clock.now).write(to: path(name))
      }
    }

    func path(_ name: String) -> String { folder.appending(path: name).path }

    /// Loads the keys as a service does at its start.
    func keys() throws -> MembersKeys {
      var files = KeyringFiles(name: "members")
      files.fieldsFile = path("fields")
      files.hashesFile = path("hashes")
      files.pageTokensFile = path("page-tokens")
      return try MembersKeys(files: files)
    }

    func change(_ name: String, _ change: (Keyring) -> Keyring) throws {
      try change(try Keyring(contentsOf: path(name))).write(to: path(name), replacing: true)
    }
  }

  static let quiet: TaskReport = { _, _, _ in }

  func reload(_ keys: MembersKeys) throws {
    for (_, ring) in keys.rings { try ring.reload() }
  }

  @Test("every person is re-encrypted and rehashed, and found before, meanwhile and after")
  func rotation() async throws {
    try await Harness.run { root in
      let rings = try Rings(root)
      let harness = root.sharing(try rings.keys())
      _ = try await harness.plantTree()
      _ = try await harness.enroll((1...60).map { Applicant.application($0) })
      for ring in ["fields", "hashes"] {
        try rings.change(ring) { $0.adding(at: harness.clock.now) }
      }
      try reload(harness.keys)
      // Applications continue meanwhile: known and new persons.
      async let again = harness.enroll((50...80).map { Applicant.application($0) })
      let needs = try await harness.service.renewKeys(report: Self.quiet)
      #expect(Set(needs.map(\.keyring)) == ["fields"], "remembered replies need the older key")
      _ = try await again
      #expect(try await harness.members().count == 80)
      let persons = try await harness.database.read(PersonStore.page(after: "", limit: 1_000))
      for person in persons {
        #expect(person.hashKey == 2)
        #expect(try !harness.keys.cipher.isOutdated(person.person.wrappedKey ?? []))
      }
      // The ledger is purged, the older keys are retired.
      _ = try await harness.database.purgeRequests(before: harness.clock.now + 1)
      #expect(try await harness.service.renewKeys(report: Self.quiet) == [])
      for ring in ["fields", "hashes"] { try rings.change(ring) { $0.keepingLast(1) } }
      try reload(harness.keys)
      _ = try await harness.service.renewKeys(report: Self.quiet)
      let hashes = try await harness.database.read(
        PersonStore.hashes(after: [], "", limit: 10_000))
      #expect(hashes.count == 240)
      #expect(hashes.allSatisfy { $0.key == 2 })
      _ = try await harness.enroll((1...80).map { Applicant.application($0) })
      #expect(try await harness.members().count == 80)
      let data = try harness.keys.personalData(of: persons[0].person)
      #expect(data.name.isEmpty == false)
    }
  }

  @Test("an interrupted rotation is continued")
  func resumption() async throws {
    try await Harness.run { root in
      let rings = try Rings(root)
      let harness = root.sharing(try rings.keys())
      _ = try await harness.plantTree()
      _ = try await harness.enroll((1...60).map { Applicant.application($0) })
      try rings.change("fields") { $0.adding(at: harness.clock.now) }
      try reload(harness.keys)
      let service = harness.service
      let stopped = Task { try await service.renewKeys(report: Self.quiet) }
      stopped.cancel()
      _ = try? await stopped.value
      // Another process, which loads the files.
      let next = root.sharing(try rings.keys())
      _ = try await next.service.renewKeys(report: Self.quiet)
      let persons = try await next.database.read(PersonStore.page(after: "", limit: 1_000))
      #expect(persons.count == 60)
      #expect(
        try persons.allSatisfy { try !next.keys.cipher.isOutdated($0.person.wrappedKey ?? []) })
    }
  }

  @Test("one person stays one while replicas have different keys")
  func uniqueness() async throws {
    try await Harness.run { root in
      let rings = try Rings(root)
      let older = root.sharing(try rings.keys())
      _ = try await older.plantTree()
      try rings.change("hashes") { $0.adding(at: root.clock.now) }
      let newer = root.sharing(try rings.keys())
      for person in 1...4 {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for turn in 0..<6 {
            group.addTask {
              let replica = turn.isMultiple(of: 2) ? older : newer
              _ = try await replica.submit(Applicant.application(person))
            }
          }
          try await group.waitForAll()
        }
      }
      #expect(try await newer.members().count == 4)
      #expect(try await newer.countsAgree())
    }
  }

  @Test("a replica that missed a rotation doubles nobody, and continues once it has the keys")
  func missedRotation() async throws {
    try await Harness.run { root in
      let rings = try Rings(root)
      let older = root.sharing(try rings.keys())
      _ = try await older.plantTree()
      try await older.database.markKeys(older.service.storeKeyrings)
      _ = try await older.enroll((1...3).map { Applicant.application($0) })
      // The other replica takes up the newer key, and the older one is retired.
      try rings.change("hashes") { $0.adding(at: root.clock.now) }
      let newer = root.sharing(try rings.keys())
      _ = try await newer.service.rotateKeys(in: newer.database, report: Self.quiet)
      try rings.change("hashes") { $0.keepingLast(1) }
      _ = try await newer.service.rotateKeys(in: newer.database, report: Self.quiet)
      for person in 1...4 {
        await #expect(throws: (any Error).self) {
          try await older.submit(Applicant.application(person))
        }
      }
      #expect(try await newer.members().count == 3)
      #expect(try await older.database.takeUpNewerKeys(older.service.storeKeyrings))
      for person in 1...4 { _ = try await older.submit(Applicant.application(person)) }
      #expect(try await newer.members().count == 4)
      #expect(try await newer.countsAgree())
    }
  }

  @Test("a replica that has not reloaded decrypts what a newer key encrypted")
  func unknownKey() async throws {
    try await Harness.run { root in
      let rings = try Rings(root)
      let older = root.sharing(try rings.keys())
      _ = try await older.plantTree()
      try rings.change("fields") { $0.adding(at: root.clock.now) }
      let newer = root.sharing(try rings.keys())
      _ = try await newer.submit(Applicant.application(1), as: .administrator)
      #expect(try await older.members().count == 1)
    }
  }

  private final class Moves: Sendable {
    let count = Atomic(0)
  }

  @Test("a recount finds nothing wrong while organizations are moved")
  func recountBesideMoves() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll((1...3).map { Applicant.application($0) })
      try await harness.service.foldCounters()
      let (quegou, city) = (names["quegou"] ?? "", names["huaibei"] ?? "")
      let parents = [city, names["xiangshan"] ?? ""]
      let moves = Moves()
      let moving = harness.replica(
        InterruptedDatabase(harness.database) {
          let number = moves.count.wrappingAdd(1, ordering: .relaxed).oldValue
          try await harness.move(quegou, below: parents[number % 2])
        })
      #expect(try await moving.service.recount(report: Self.quiet) == [])
      #expect(moves.count.load(ordering: .relaxed) > Tree.rows.count)
    }
  }

  @Test("a recount finds the wrong counter, and only that")
  func recount() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      _ = try await harness.enroll((1...40).map { Applicant.application($0) })
      harness.clock.advance(days: 1)
      #expect(try await harness.service.recount(report: Self.quiet) == [], "before the fold")
      try await harness.service.foldCounters()
      #expect(try await harness.service.recount(report: Self.quiet) == [])
      for table in ["subtree_members", "subtree_enrollments"] {
        let wrong = Statement("UPDATE \(table) SET own = own + 1, members = members + 1")
        try await harness.database.write(Commit(at: harness.clock.now, statements: [wrong]))
        let findings = try await harness.service.recount(report: Self.quiet)
        #expect(!findings.isEmpty)
        let right = Statement("UPDATE \(table) SET own = own - 1, members = members - 1")
        try await harness.database.write(Commit(at: harness.clock.now, statements: [right]))
      }
      #expect(try await harness.service.recount(report: Self.quiet) == [])
      let own = Statement("UPDATE membership_counts SET members = members + 1")
      try await harness.database.write(Commit(at: harness.clock.now, statements: [own]))
      #expect(try await harness.service.recount(report: Self.quiet).count == 1)
      let back = Statement("UPDATE membership_counts SET members = members - 1")
      try await harness.database.write(Commit(at: harness.clock.now, statements: [back]))
      let astray = Statement("UPDATE subtree_members SET members = members + 1")
      try await harness.database.write(Commit(at: harness.clock.now, statements: [astray]))
      let sums = try await harness.service.recount(report: Self.quiet)
      #expect(sums.allSatisfy { $0.contains("of the subtree") } && !sums.isEmpty)
    }
  }

  @Test("invented members are determined by the seed, counted, and found by their keys")
  func sample() async throws {
    var ids: [[String]] = []
    try await Harness.run { harness in
      let registry = try SampleRegistry(
        database: harness.database, keys: harness.keys, members: 2_345, seed: 7)
      try await registry.make(at: harness.clock.now) { _, _ in }
      for index in [0, 1_000, 2_344] { try await registry.read(index) }
      #expect(try await harness.countsAgree())
      let persons = try await harness.database.read(PersonStore.page(after: "", limit: 10_000))
      #expect(persons.count == 2_345)
      ids.append(persons.map(\.person.id))
      let someone = try harness.keys.personalData(of: persons[7].person)
      let known = try await harness.database.read(
        MemberStore.byResidentID(try harness.keys.hashes(of: someone).residentID))
      #expect(known?.person.id == persons[7].person.id)
      #expect(known?.member != nil)
      await #expect(throws: ConfigurationError.self) {
        try await registry.make(at: harness.clock.now) { _, _ in }
      }
    }
    #expect(Set(ids).count == 1)
  }
}
