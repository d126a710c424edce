import Foundation
import MembersV1
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

/// Invariant: the tree has no cycle, and nobody is a live member of a dissolved organization.
@Suite("Moving and dissolving organizations")
struct OrganizationTreeTests {
  @Test("a subtree moves atomically, with its members, its scope and its counts")
  func move() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree(Tree.rows + [Tree.zone])
      _ = try await harness.enroll((1...5).map { Applicant.application($0) })
      let (quegou, zone) = (names["quegou"] ?? "", names["zone"] ?? "")
      let before = try await harness.organization(names["quegou-east"] ?? "")
      let moved = try await harness.move(quegou, below: zone, etag: "v1")
      #expect(moved?.parent == zone)
      #expect(moved?.etag == "v2")
      // The descendants move along without being changed themselves.
      #expect(try await harness.organization(before.name) == before)
      #expect(try await harness.organization(zone).childCount == 1)
      #expect(try await harness.organization(names["xiangshan"] ?? "").childCount == 3)
      for (scope, count) in [("zone", 5), ("xiangshan", 0), ("huaibei", 5)] {
        let staff = try harness.client(.staff(names[scope] ?? "", role: .viewer))
        #expect(try await staff.listMembers(ListMembersRequest()).members.count == count)
        let statistics = try await staff.getEnrollmentStatistics(GetEnrollmentStatisticsRequest())
        #expect(statistics.liveMembers == Int64(count))
      }
      #expect(try await harness.wrongs() == [])
      let events = try await harness.events(as: .service("stations"))
        .filter { $0.entity.hasPrefix("organizations/") }
      #expect(events.count == Tree.rows.count + 2)
      guard case .organizationChanged(let change)? = events.last?.event else {
        throw Unexpected("another event than the move's")
      }
      #expect(change.organization == quegou)
      #expect(change.parent == zone)
      #expect(change.previousParent == names["xiangshan"])
    }
  }

  @Test("an invalid move is refused with its reason")
  func moveRefused() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      func refused(
        _ name: String, _ parent: String, _ caller: Caller = .administrator
      ) async throws -> String {
        try await refusal {
          try await harness.move(names[name] ?? "", below: names[parent] ?? "", as: caller)
        }
      }
      #expect(try await refused("quegou", "quegou-east") == "MOVE_BELOW_ITSELF")
      #expect(try await refused("quegou", "quegou") == "MOVE_BELOW_ITSELF")
      #expect(try await refused("quegou", "xiangshan-pool") == "INVALID_PARENT")
      let xiangshan = Caller.staff(names["xiangshan"] ?? "")
      #expect(try await refused("quegou", "lieshan", xiangshan) == "OUT_OF_SCOPE")
      #expect(try await refused("xiangshan", "lieshan", xiangshan) == "OUT_OF_SCOPE")
      #expect(
        try await refusal {
          try await harness.move(names["quegou"] ?? "", below: "organizations/\(hexID(9))")
        } == "PARENT_NOT_FOUND")
      #expect(
        try await refusal {
          try await harness.move(
            names["quegou"] ?? "", below: names["lieshan"] ?? "", etag: "v7")
        } == "ETAG_MISMATCH")
      // Moved to its current parent: nothing changes.
      let same = try await harness.move(names["quegou"] ?? "", below: names["xiangshan"] ?? "")
      #expect(same?.etag == "v1")
      try await harness.dissolve(names["lieshan"] ?? "")
      #expect(try await refused("quegou", "lieshan") == "ORGANIZATION_DISSOLVED")
      #expect(try await refused("lieshan", "xiangshan") == "ORGANIZATION_DISSOLVED")
      #expect(try await harness.wrongs() == [])
    }
  }

  @Test("a chain that a move would make too long is refused")
  func depth() async throws {
    try await Harness.run { harness in
      func chain(_ name: String, _ length: Int, below top: String) -> [ImportOrganizationsRequest] {
        (0..<length).map { index in
          Tree.row(
            "\(name)-\(index)", index == 0 ? top : "\(name)-\(index - 1)", "第\(index)级",
            .jointUnion, .basic, "340603")
        }
      }
      // Huaibei is on level three: nine more are twelve; four below the twelfth are sixteen.
      let names = try await harness.plantTree(
        Tree.rows + chain("a", 9, below: "huaibei") + chain("b", 5, below: "huaibei"))
      #expect(
        try await refusal {
          try await harness.move(names["b-0"] ?? "", below: names["a-8"] ?? "")
        } == "TREE_TOO_DEEP")
      try await harness.move(names["b-1"] ?? "", below: names["a-8"] ?? "")
      let row = Tree.row("too-deep", "b-4", "第十七级", .jointUnion, .basic, "340603")
      #expect(try await harness.importing([row])[0].refusal == "TREE_TOO_DEEP")
      #expect(try await harness.wrongs() == [])
    }
  }

  @Test("concurrent moves, creations and dissolutions leave a tree without cycles or wrong paths")
  func concurrentMoves() async throws {
    try await Harness.run { harness in
      let unions = (0..<12).map {
        Tree.row("u\($0)", "huaibei", "工会 \($0)", .jointUnion, .basic, "340603")
      }
      let names = try await harness.plantTree(Tree.rows + unions)
      let unionNames = unions.map { names[$0.externalID] ?? "" }
      var random = SplitMix64(seed: 2_026)
      let moves = (0..<120).map { _ in
        (
          unionNames[Int(random.next() % 12)], unionNames[Int(random.next() % 12)],
          random.next() % 8
        )
      }
      let outcomes = try await withThrowingTaskGroup(of: String.self) { group in
        for (name, parent, kind) in moves {
          group.addTask {
            do {
              switch kind {
              case 0: _ = try await harness.found(below: parent)
              case 1: try await harness.dissolve(name)
              default: try await harness.move(name, below: parent)
              }
              return "done"
            } catch {
              return try await refusal { throw error }
            }
          }
        }
        return try await group.reduce(into: Set<String>()) { $0.insert($1) }
      }
      #expect(outcomes.contains("done"))
      let expected: Set = [
        "done", "MOVE_BELOW_ITSELF", "ORGANIZATION_DISSOLVED", "ORGANIZATION_HAS_CHILDREN",
        "TREE_TOO_DEEP",
      ]
      #expect(outcomes.subtracting(expected) == [])
      #expect(try await harness.wrongs() == [])
    }
  }

  @Test("two concurrent moves below each other form no cycle")
  func mutualMoves() async throws {
    try await Harness.run { harness in
      let rows = ["a", "b"].flatMap { name in
        (0..<3).map { level in
          Tree.row(
            "\(name)\(level)", level == 0 ? "huaibei" : "\(name)\(level - 1)", "工会 \(name)",
            .jointUnion, .basic, "340603")
        }
      }
      let names = try await harness.plantTree(Tree.rows + rows)
      for _ in 0..<10 {
        let outcomes = try await withThrowingTaskGroup(of: String.self) { group in
          for (name, parent) in [("a0", "b2"), ("b0", "a2")] {
            group.addTask {
              do {
                try await harness.move(names[name] ?? "", below: names[parent] ?? "")
                return "moved"
              } catch {
                return try await refusal { throw error }
              }
            }
          }
          return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.sorted() == ["MOVE_BELOW_ITSELF", "moved"])
        #expect(try await harness.wrongs() == [])
        for name in ["a0", "b0"] {
          try await harness.move(names[name] ?? "", below: names["huaibei"] ?? "")
        }
      }
    }
  }
}
