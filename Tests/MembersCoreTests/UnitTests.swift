import Foundation
import GoogleProtobuf
import Logging
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import TestWaiting
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Units and their crossings", .timeLimit(.minutes(5)))
struct UnitTests {
  /// A configuration with a low threshold for Quegou; the unit's union exists already.
  private static func configuration(_ threshold: Int = 5) -> MembersConfiguration {
    var configuration = MembersConfiguration()
    configuration.regions = [RegionSetting(regionCode: "340603", unitThreshold: threshold)]
    return configuration
  }

  @Test("units are counted even if the counters cannot be folded", .timeLimit(.minutes(2)))
  func beside() async throws {
    try await Harness.run(Self.configuration()) { harness in
      _ = try await harness.plantTree()
      _ = try await harness.enroll((1...5).map(Self.worker))
      var commit = Commit(at: harness.clock.now)
      commit.run("ALTER TABLE subtree_enrollments RENAME TO none")
      try await harness.database.write(commit)
      var logger = Logger(label: "test")
      logger.logLevel = .critical
      let quiet = logger
      let folding = Task { await harness.service.foldCounters(logger: quiet) }
      try await eventually { try await !harness.units().isEmpty }
      folding.cancel()
      await folding.value
      #expect(try await harness.units().map(\.members) == [5])
    }
  }

  private static func worker(_ number: Int) -> EnrollmentApplication {
    Applicant.application(number) {
      $0.employerName = "顺达(淮北)货运有限公司"
      if number % 2 == 0 { $0.areas?.work = "340603100201" }
    }
  }

  @Test("concurrent enrollments counted by two folds cross once and are reported once")
  func crossing() async throws {
    try await Harness.run(Self.configuration()) { harness in
      let names = try await harness.plantTree()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for part in 0..<3 {
          group.addTask {
            _ = try await harness.enroll((1...4).map { Self.worker(part * 10 + $0) })
          }
          group.addTask { try await harness.service.foldUnits() }
        }
        try await group.waitForAll()
      }
      try await harness.service.foldUnits()
      let units = try await harness.units()
      #expect(units.map(\.members) == [12])
      #expect(units.map(\.state) == [.triggered])
      #expect(units.map(\.crossings) == [1])
      #expect(units.map(\.organization) == [names["quegou"]], "the village's people too")
      #expect(units.map(\.displayName) == ["顺达(淮北)货运有限公司"])
      #expect(try await harness.events("unit.changed").count == 1)
      // Falls and rises while the index is open: no further report.
      for member in try await harness.members().prefix(10) {
        try await harness.leave(member)
      }
      try await harness.service.foldUnits()
      #expect(try await harness.units().map(\.members) == [2])
      _ = try await harness.enroll((51...60).map(Self.worker))
      try await harness.service.foldUnits()
      #expect(try await harness.units().map(\.members) == [12])
      #expect(try await harness.events("unit.changed").count == 1)
    }
  }

  @Test("a formed union takes the unit's people in one step, including those who just joined")
  func forming() async throws {
    try await Harness.run(Self.configuration()) { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll((1...6).map(Self.worker))
      _ = try await harness.enroll([Applicant.application(40)])
      try await harness.service.foldUnits()
      let client = try harness.client(.staff(names["xiangshan"] ?? "", role: .clerk))
      let unit = try #require(try await harness.units().first)
      let union = names["freight-union"] ?? ""
      var form = FormUnitUnionRequest()
      (form.requestID, form.name, form.union) = (UUID().uuidString, unit.name, union)
      #expect(try await refusal { try await client.formUnitUnion(form) } == "UNIT_STATE")
      var assign = AssignUnitRequest()
      (assign.requestID, assign.name, assign.union) =
        (UUID().uuidString, unit.name, names["xiangshan"] ?? "")
      assign.etag = "v99"
      #expect(try await refusal { try await client.assignUnit(assign) } == "ETAG_MISMATCH")
      assign.etag = unit.etag
      #expect(try await client.assignUnit(assign).unit?.state == .assigned)
      var guide = GuideUnitRequest()
      (guide.requestID, guide.name) = (UUID().uuidString, unit.name)
      #expect(try await client.guideUnit(guide).unit?.state == .guiding)
      _ = try await harness.enroll([Self.worker(7)])
      let formed = try await client.formUnitUnion(form)
      #expect(formed.membersMoved == 7)
      #expect(formed.unit?.state == .unionFormed)
      #expect(try await client.formUnitUnion(form) == formed, "a retry")
      let members = try await harness.members()
      #expect(members.filter { $0.managingOrganization == union }.count == 7)
      #expect(members.allSatisfy { $0.organization != union }, "nobody asked to join it")
      #expect(try await harness.countsAgree())
      try await harness.service.foldUnits()
      #expect(try await harness.units([.unionFormed]).map(\.members) == [0])
      let far = try harness.client(.staff(names["lieshan"] ?? "", role: .clerk))
      guide.requestID = UUID().uuidString
      #expect(try await refusal { try await far.guideUnit(guide) } == "UNIT_NOT_FOUND")
    }
  }

  @Test("a unit stays one while replicas load a new key at different times")
  func replicas() async throws {
    try await Harness.run { root in
      let rings = try UpkeepTests.Rings(root)
      let older = root.sharing(try rings.keys())
      _ = try await older.plantTree()
      try rings.change("hashes") { $0.adding(at: root.clock.now) }
      let newer = root.sharing(try rings.keys())
      func join(_ number: Int, at replica: Harness) async throws {
        _ = try await replica.enroll([Self.worker(number)])
        try await replica.service.foldUnits()
      }
      for (number, replica) in [(1, newer), (2, older), (3, newer)] {
        try await join(number, at: replica)
      }
      #expect(try await newer.units([.counting]).map(\.members) == [3])
      _ = try await newer.service.renewKeys(report: UpkeepTests.quiet)
      try await join(4, at: older)
      #expect(try await newer.units([.counting]).map(\.members) == [4])
      // Retired by one replica, then by the other.
      for (_, ring) in older.keys.rings { try ring.reload() }
      try rings.change("hashes") { $0.keepingLast(1) }
      let last = root.sharing(try rings.keys())
      _ = try await last.service.renewKeys(report: UpkeepTests.quiet)
      try await join(5, at: older)
      try await join(6, at: last)
      #expect(try await last.units([.counting]).map(\.members) == [6])
    }
  }

  @Test("after a dismissal only a new crossing is reported; a lowered threshold is one")
  func dismissal() async throws {
    try await Harness.run(Self.configuration(7)) { harness in
      _ = try await harness.plantTree()
      _ = try await harness.enroll((1...6).map(Self.worker))
      try await harness.service.foldUnits()
      #expect(try await harness.units([.counting]).map(\.members) == [6])
      try await harness.setThreshold(6)
      try await harness.service.foldUnits()
      let unit = try #require(try await harness.units().first)
      #expect(unit.crossings == 1)
      let client = try harness.client(.administrator)
      var dismiss = DismissUnitRequest()
      (dismiss.requestID, dismiss.name) = (UUID().uuidString, unit.name)
      #expect(
        try await refusal { try await client.dismissUnit(dismiss) }
          == "INVALID_FIELDS reason=REQUIRED")
      dismiss.reason = "单位即将注销"
      #expect(try await client.dismissUnit(dismiss).unit?.state == .dismissed)
      _ = try await harness.enroll([Self.worker(7)])
      try await harness.service.foldUnits()
      #expect(try await harness.units().isEmpty, "enough all the time: no crossing")
      for member in try await harness.members().prefix(3) { try await harness.leave(member) }
      try await harness.service.foldUnits()
      _ = try await harness.enroll((21...24).map(Self.worker))
      try await harness.service.foldUnits()
      #expect(try await harness.units().map(\.crossings) == [2])
    }
  }
}

extension Harness {
  /// Returns the units of the whole tree; by default those that wait for an action.
  func units(_ states: [UnitState] = []) async throws -> [MembersV1.Unit] {
    var request = ListUnitsRequest()
    request.states = states
    return try await client(.administrator).listUnits(request).units
  }

  func leave(_ member: Member) async throws {
    var request = LeaveUnionRequest()
    request.requestID = UUID().uuidString
    request.name = member.name
    request.reason = "本人申请"
    _ = try await client(.administrator).leaveUnion(request)
  }
}
