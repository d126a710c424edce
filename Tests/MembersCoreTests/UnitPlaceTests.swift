import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Units follow the tree", .timeLimit(.minutes(5)))
struct UnitPlaceTests {
  private static let rows =
    Tree.rows + [
      Tree.row("east", "xiangshan", "相山东街道总工会", .townshipUnion, .township, "340603002"),
      Tree.row("home", "quegou", "网上会员之家", .onlineMemberHome, .basic, "340603100"),
      Tree.row("yard", "quegou", "顺达货运工会", .enterpriseUnion, .basic, "340603100"),
      Tree.row("yard-branch", "yard", "顺达一分会", .branch, .basic, "340603100"),
    ]

  private static let configuration: MembersConfiguration = {
    var configuration = MembersConfiguration()
    configuration.regions = [RegionSetting(regionCode: "340603", unitThreshold: 5)]
    return configuration
  }()

  private static func workers(_ numbers: ClosedRange<Int>, code: String) -> [EnrollmentApplication]
  {
    numbers.map { number in
      Applicant.application(number) {
        $0.employerName = "顺达(淮北)货运有限公司"
        $0.organizationCode = code
      }
    }
  }

  private static func code(of name: String?, in harness: Harness) async throws -> String {
    try await harness.code(of: name ?? "", acceptsTransfers: false).text
  }

  private static func guided(_ union: String, as caller: Caller, in harness: Harness) async throws
    -> MembersV1.Unit
  {
    let unit = try #require(try await harness.units().first)
    let client = try harness.client(caller)
    var assign = AssignUnitRequest()
    (assign.requestID, assign.name, assign.union) = (UUID().uuidString, unit.name, union)
    _ = try await client.assignUnit(assign)
    var guide = GuideUnitRequest()
    (guide.requestID, guide.name) = (UUID().uuidString, unit.name)
    return try #require(try await client.guideUnit(guide).unit)
  }

  private static func form(
    _ unit: MembersV1.Unit, _ union: String, as caller: Caller, in harness: Harness
  ) async throws -> Int64 {
    var form = FormUnitUnionRequest()
    (form.requestID, form.name, form.union) = (UUID().uuidString, unit.name, union)
    return try await harness.client(caller).formUnitUnion(form).membersMoved
  }

  /// Lets a union take over six workers of its unit, and five others of that unit enroll.
  private static func formAndEnrollFive(
    _ union: String, at home: String?, in harness: Harness
  ) async throws {
    let code = try await code(of: home, in: harness)
    _ = try await harness.enroll(workers(1...6, code: code))
    try await harness.service.foldUnits()
    let unit = try await guided(union, as: .administrator, in: harness)
    #expect(try await form(unit, union, as: .administrator, in: harness) == 6)
    _ = try await harness.enroll(workers(11...15, code: code))
  }

  @Test("the members of a moved organization are counted in its new township, which is told")
  func moved() async throws {
    try await Harness.run(Self.configuration) { harness in
      let names = try await harness.plantTree(Self.rows)
      let quegou = names["quegou"] ?? ""
      let (east, home) = (names["east"] ?? "", names["home"] ?? "")
      let code = try await Self.code(of: home, in: harness)
      // More than are queued at a time.
      let count = UnitMoves.membersMax + 10
      _ = try await harness.enroll(Self.workers(1...count, code: code))
      try await harness.service.foldUnits()
      #expect(try await harness.units().map(\.organization) == [quegou])
      try await harness.move(home, below: east, region: "340603002")
      try await harness.service.foldUnits()
      let units = try await harness.units([.counting, .triggered])
      #expect(units.map(\.members).sorted() == [0, Int64(count)])
      #expect(units.first { $0.members > 0 }?.organization == east)
      let told = try await harness.events("unit.changed").compactMap { event in
        try UnitChanged(wireBytes: event.payload).organization
      }
      #expect(told == [quegou, east])
      // And back.
      try await harness.move(home, below: quegou, region: "340603100")
      try await harness.service.foldUnits()
      let back = try await harness.units([.counting, .triggered])
      #expect(back.first { $0.members > 0 }?.organization == quegou)
      #expect(back.map(\.members).reduce(0, +) == Int64(count))
    }
  }

  @Test("a township that comes to another region is told of units that reach its threshold")
  func otherRegion() async throws {
    var configuration = Self.configuration
    configuration.regions.append(RegionSetting(regionCode: "340604", unitThreshold: 3))
    configuration.regions.append(RegionSetting(regionCode: "340600", unitThreshold: 4))
    try await Harness.run(configuration) { harness in
      let names = try await harness.plantTree()
      let (quegou, east) = (names["quegou"] ?? "", names["quegou-east"] ?? "")
      let code = try await Self.code(of: east, in: harness)
      _ = try await harness.enroll(Self.workers(1...3, code: code))
      try await harness.service.foldUnits()
      #expect(try await harness.units([.counting]).map(\.members) == [3])
      // In steps, each of which another process may end after.
      try await harness.move(quegou, below: names["huaibei"] ?? "", region: "340600")
      #expect(try await harness.wrongs() == [])
      try await harness.service.foldUnits()
      #expect(try await harness.units().isEmpty, "4 are enough there")
      try await harness.update(east, region: "340604100201")
      #expect(try await harness.wrongs() == [])
      try await harness.move(quegou, below: names["lieshan"] ?? "", region: "340604100")
      #expect(try await harness.wrongs() == [])
      #expect(try await harness.units().isEmpty)
      try await harness.service.foldUnits()
      #expect(try await harness.units().map(\.crossings) == [1])
      #expect(try await harness.events("unit.changed").count == 1)
      #expect(try await harness.countsAgree())
    }
  }

  @Test("a township whose region is corrected is told of units that reach its threshold")
  func correctedRegion() async throws {
    var configuration = Self.configuration
    configuration.regions.append(RegionSetting(regionCode: "340600", unitThreshold: 3))
    try await Harness.run(configuration) { harness in
      let names = try await harness.plantTree(
        Tree.rows + [
          Tree.row("park", "huaibei", "淮北产业园工会", .townshipUnion, .township, "340603") {
            $0.takesIndividuals = true
          }
        ])
      let park = names["park"] ?? ""
      let code = try await Self.code(of: park, in: harness)
      _ = try await harness.enroll(Self.workers(1...3, code: code))
      try await harness.service.foldUnits()
      #expect(try await harness.units([.counting]).map(\.members) == [3])
      try await harness.update(park, region: "340600")
      try await harness.service.foldUnits()
      #expect(try await harness.units().map(\.crossings) == [1])
      try await harness.update(park, region: "340603")
      try await harness.update(park, region: "340600")
      try await harness.service.foldUnits()
      #expect(try await harness.events("unit.changed").count == 1)
    }
  }

  @Test("a township forms no union with people who were moved out of it")
  func outOfScope() async throws {
    try await Harness.run(Self.configuration) { harness in
      let names = try await harness.plantTree(Self.rows)
      let (home, yard) = (names["home"] ?? "", names["yard"] ?? "")
      let code = try await Self.code(of: home, in: harness)
      _ = try await harness.enroll(Self.workers(1...6, code: code))
      let stays = try await Self.code(of: names["quegou"], in: harness)
      _ = try await harness.enroll(Self.workers(11...12, code: stays))
      try await harness.service.foldUnits()
      let clerk = Caller.staff(names["quegou"] ?? "", role: .clerk)
      let unit = try await Self.guided(yard, as: clerk, in: harness)
      try await harness.move(home, below: names["east"] ?? "", region: "340603002")
      // Even if they are still counted in it.
      var commit = Commit(at: harness.clock.now)
      commit.run("DELETE FROM unit_moves")
      try await harness.database.write(commit)
      #expect(try await Self.form(unit, yard, as: clerk, in: harness) == 2)
      let places = try await harness.members().map(\.managingOrganization)
      #expect(places.filter { $0 == home }.count == 6)
      #expect(try await harness.countsAgree())
    }
  }

  @Test("the branch of an enterprise union is no unit without a union")
  func branch() async throws {
    try await Harness.run(Self.configuration) { harness in
      let names = try await harness.plantTree(Self.rows)
      let code = try await Self.code(of: names["yard-branch"], in: harness)
      _ = try await harness.enroll(Self.workers(1...6, code: code))
      try await harness.service.foldUnits()
      #expect(try await harness.units([.counting, .triggered]).isEmpty)
      // As a branch of the township, it has none.
      try await harness.move(names["yard-branch"] ?? "", below: names["quegou"] ?? "")
      try await harness.service.foldUnits()
      #expect(try await harness.units().map(\.members) == [6])
    }
  }

  @Test("a unit whose union is dissolved is counted anew and reported again")
  func lostUnion() async throws {
    try await Harness.run(Self.configuration) { harness in
      let names = try await harness.plantTree(Self.rows)
      let yard = names["yard"] ?? ""
      try await Self.formAndEnrollFive(yard, at: names["home"], in: harness)
      try await harness.service.foldUnits()
      #expect(try await harness.units([.unionFormed]).map(\.members) == [5])
      #expect(try await harness.units().isEmpty)
      try await harness.dissolve(names["yard-branch"] ?? "")
      try await harness.dissolve(yard, poolsMembers: true)
      let again = try await harness.units()
      #expect(again.map(\.state) == [.triggered])
      #expect(again.map(\.crossings) == [2])
      #expect(again.map(\.union) == [""])
      #expect(try await harness.events("unit.changed").count == 5)
    }
  }

  @Test("a unit that loses its union while the threshold is lowered is reported")
  func lostWhileLowered() async throws {
    try await Harness.run(Self.configuration) { harness in
      let names = try await harness.plantTree(Self.rows)
      let yard = names["yard"] ?? ""
      try await Self.formAndEnrollFive(yard, at: names["home"], in: harness)
      try await harness.setThreshold(8)
      try await harness.service.foldUnits()
      try await harness.dissolve(names["yard-branch"] ?? "")
      let dissolving = harness.replica(
        RacingDatabase(harness.database) {
          try await harness.setThreshold(5)
          try await harness.service.foldUnits()
        })
      try await dissolving.dissolve(yard, poolsMembers: true)
      #expect(try await harness.units().map(\.members) == [5])
      #expect(try await harness.units().map(\.state) == [.triggered])
    }
  }

  @Test("a union dissolved while it is formed for a unit leaves no unit with a dissolved union")
  func dissolvedBeside() async throws {
    try await Harness.run(Self.configuration) { harness in
      let names = try await harness.plantTree(Self.rows)
      let yard = names["yard"] ?? ""
      let code = try await Self.code(of: names["home"], in: harness)
      _ = try await harness.enroll(Self.workers(1...6, code: code))
      try await harness.service.foldUnits()
      let unit = try await Self.guided(yard, as: .administrator, in: harness)
      for member in try await harness.members() { try await harness.leave(member) }
      try await harness.dissolve(names["yard-branch"] ?? "")
      let dissolving = harness.replica(
        RacingDatabase(harness.database) {
          _ = try await Self.form(unit, yard, as: .administrator, in: harness)
        })
      try await dissolving.dissolve(yard)
      #expect(try await harness.units([.unionFormed]).isEmpty)
      #expect(try await harness.units([.counting]).map(\.union) == [""])
    }
  }
}
