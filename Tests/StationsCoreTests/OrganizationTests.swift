import MembersV1
import Storage
import Testing

@testable import StationsCore

@Suite struct OrganizationTests {
  @Test("ancestors follow from parents, in whatever order events of different organizations arrive")
  func anyOrder() async throws {
    try await World.run { world in
      var random = Seeded(seed: 31)
      var parents: [Int: Int] = [:]
      // Moves create and dissolve subtrees; parents have smaller numbers, so there is no cycle in
      // the end.
      for _ in 0..<400 {
        let child = Int.random(in: 2...60, using: &random)
        parents[child] = Int.random(in: 1..<child, using: &random)
        try await store(child, under: parents[child], in: world)
      }
      try await store(1, under: nil, in: world)
      for organization in 1...60 where parents[organization] != nil || organization == 1 {
        var expected: Set<Int> = [organization]
        var above = parents[organization]
        while let ancestor = above {
          expected.insert(ancestor)
          above = parents[ancestor]
        }
        let found = try await world.database.read(ancestors(of: organization))
        #expect(found == Set(expected.map { hexID(0x1000 + $0) }))
      }
    }
  }

  @Test("two moves that temporarily form a cycle end correctly")
  func ring() async throws {
    try await World.run { world in
      try await store(1, under: nil, in: world)
      try await store(2, under: 1, in: world)
      try await store(1, under: 2, in: world)
      #expect(try await world.database.read(ancestors(of: 1)).count == 2)
      try await store(2, under: nil, in: world)
      #expect(try await world.database.read(ancestors(of: 2)) == [hexID(0x1002)])
      #expect(try await world.database.read(ancestors(of: 1)).count == 2)
    }
  }

  private func store(_ number: Int, under parent: Int?, in world: World) async throws {
    var commit = Commit(at: world.clock.now)
    OrganizationStore.store(
      hexID(0x1000 + number), parent: parent.map { hexID(0x1000 + $0) } ?? "", state: .active,
      in: &commit)
    try await world.database.write(commit)
  }

  private func ancestors(of number: Int) -> Query<Set<String>> {
    Query<[String]>.all(
      "SELECT ancestor_id FROM organization_ancestor WHERE organization_id = ?1",
      [hexID(0x1000 + number)]
    ) { try $0.text("ancestor_id") }.map { Set($0) }
  }
}
