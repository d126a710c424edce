import MembersV1
import ServiceKit
import Testing

@testable import MembersCore

@Suite("The region of an organization lies within its parent's")
struct OrganizationRegionTests {
  @Test("the digits of a region begin the codes of the regions within it")
  func digits() {
    for (outer, inner) in [
      ("000000", "340000"), ("340000", "340600"), ("340600", "340603"), ("340600", "340600"),
      ("340603", "340603100"), ("340603100", "340603100201"), ("340603100000", "340603100201"),
      ("340603", "340603000000"), ("441900", "441900003"), ("420000", "429004"),
    ] {
      #expect(RegionCode.lies(inner, within: outer), "\(inner) \(outer)")
      let isSame = RegionCode.digits(of: inner) == RegionCode.digits(of: outer)
      #expect(RegionCode.lies(outer, within: inner) == isSame, "\(outer) \(inner)")
    }
    for (outer, other) in [
      ("340600", "340300"), ("340603", "340604"), ("340603100", "340603101"),
      ("340000", "000000"),
    ] {
      #expect(!RegionCode.lies(other, within: outer), "\(other) \(outer)")
    }
    let failure = FieldFailure.outsideParent("region_code", region: "340600")
    #expect(failure.text.zh == "所在地区须在上级组织的地区（340600）之内。")
    #expect(failure.text.en == "The region must lie within the parent's, 340600.")
  }

  @Test("a city founds and imports nothing in another city's region, and receives nobody there")
  func founding() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let (city, township) = (names["huaibei"] ?? "", names["quegou"] ?? "")
      let staff = Caller.staff(city)
      let outside = "INVALID_FIELDS organization.region_code=OUTSIDE_PARENT_REGION"
      for (parent, kind, level, region) in [
        (city, OrganizationKind.holdingPool, OrganizationLevel.city, "340300"),
        (city, .industryFederation, .county, "340302"),
        (city, .regionalFederation, .city, "340000"),
        (city, .enterpriseUnion, .basic, "000000"),
        (township, .newFormFederation, .township, "340603"),
      ] {
        #expect(
          try await refusal {
            try await harness.found(below: parent, as: staff) {
              ($0.kind, $0.level, $0.regionCode) = (kind, level, region)
            }
          } == outside)
      }
      let results = try await harness.importing(
        [
          Tree.row("foreign", "huaibei", "蚌埠市会员周转池", .holdingPool, .city, "340300"),
          Tree.row("own", "huaibei", "烈山镇总工会", .townshipUnion, .township, "340604100"),
        ], as: staff)
      #expect(results.map(\.refusal) == ["INVALID_FIELDS", nil])
      guard case .error(let error)? = results[0].result else { throw Unexpected("no error") }
      #expect(error.fieldViolations.map(\.field) == ["region_code"])
      #expect(error.fieldViolations.map(\.reason) == ["OUTSIDE_PARENT_REGION"])
      let elsewhere = Applicant.application(1) { $0.areas?.work = "340302" }
      #expect(
        try await refusal { try await harness.submit(elsewhere, as: .administrator) }
          == "NO_RECEIVER")
    }
  }

  private static func update(
    _ name: String?, to region: String, as caller: Caller, in harness: Harness
  ) async throws -> String? {
    try await harness.update(name ?? "", region: region, as: caller)?.regionCode
  }

  @Test("a region changes within the parent's, around those below, and from a level above")
  func updates() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let above = Caller.staff(names["huaibei"] ?? "")
      func refused(_ name: String, _ region: String, _ caller: Caller) async throws -> String {
        try await refusal {
          try await Self.update(names[name], to: region, as: caller, in: harness)
        }
      }
      let prefix = "INVALID_FIELDS organization.region_code="
      #expect(
        try await refused("freight-union", "340604", above) == prefix + "OUTSIDE_PARENT_REGION")
      #expect(try await refused("xiangshan", "340604", above) == prefix + "CHILD_OUTSIDE_REGION")
      let union = Caller.staff(names["freight-union"] ?? "")
      #expect(try await refused("freight-union", "340603100", union) == "OUT_OF_SCOPE")
      // The nation has no parent, but the province below it.
      #expect(
        try await refused("nation", "130000", .administrator) == prefix + "CHILD_OUTSIDE_REGION")
      for region in ["340603100", "340603"] {
        #expect(
          try await Self.update(names["freight-union"], to: region, as: above, in: harness)
            == region)
      }
      // A dissolved organization does not count.
      let city = names["lieshan"] ?? ""
      let union2 = try await harness.found(below: city) { $0.regionCode = "340604100" }.name
      #expect(try await refused("lieshan", "340603", above) == prefix + "CHILD_OUTSIDE_REGION")
      try await harness.dissolve(union2)
      #expect(try await Self.update(city, to: "340603", as: above, in: harness) == "340603")
      #expect(try await harness.wrongs() == [])
    }
  }

  @Test("a move goes to a parent whose region contains it, or names its region there")
  func moves() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let (quegou, east) = (names["quegou"] ?? "", names["quegou-east"] ?? "")
      let (city, lieshan) = (names["huaibei"] ?? "", names["lieshan"] ?? "")
      func refused(_ name: String, _ parent: String, _ region: String = "") async throws -> String {
        try await refusal { try await harness.move(name, below: parent, region: region) }
      }
      #expect(try await refused(quegou, lieshan) == "INVALID_FIELDS parent=OUTSIDE_PARENT_REGION")
      #expect(
        try await refused(quegou, lieshan, "340603101")
          == "INVALID_FIELDS region_code=UNKNOWN_REGION")
      #expect(
        try await refused(quegou, lieshan, "340603001")
          == "INVALID_FIELDS region_code=OUTSIDE_PARENT_REGION")
      #expect(
        try await refused(quegou, lieshan, "340604100")
          == "INVALID_FIELDS region_code=CHILD_OUTSIDE_REGION")
      #expect(
        try await refused(quegou, names["xiangshan"] ?? "", "340603001")
          == "INVALID_FIELDS region_code=INVALID_VALUE")
      let drivers = try await harness.move(names["drivers"] ?? "", below: lieshan, region: "340604")
      #expect(drivers?.regionCode == "340604")
      // A township that comes to another county, with its village.
      try await harness.move(quegou, below: city, region: "340600")
      #expect(
        try await Self.update(east, to: "340604100201", as: .administrator, in: harness)
          == "340604100201")
      let moved = try await harness.move(quegou, below: lieshan, region: "340604100")
      #expect(moved?.regionCode == "340604100")
      #expect(moved?.parent == lieshan)
      #expect(try await harness.wrongs() == [])
    }
  }

  @Test("regions changed while organizations are founded and moved below contain all of them")
  func concurrent() async throws {
    try await Harness.run { harness in
      let unions = (0..<6).map {
        Tree.row("u\($0)", "lieshan", "工会 \($0)", .jointUnion, .basic, "340604")
      }
      let names = try await harness.plantTree(Tree.rows + unions)
      let lieshan = names["lieshan"] ?? ""
      let moving = (0..<6).map { names["u\($0)"] ?? "" }
      for (index, union) in moving.enumerated() where index % 2 == 1 {
        try await harness.move(union, below: names["huaibei"] ?? "")
      }
      let outcomes = try await withThrowingTaskGroup(of: String.self) { group in
        for number in 0..<60 {
          group.addTask {
            let union = moving[number / 4 % 6]
            do {
              switch number % 4 {
              case 0:
                let region = number % 8 == 0 ? "340604" : "340600"
                _ = try await Self.update(lieshan, to: region, as: .administrator, in: harness)
              case 1:
                _ = try await harness.found(below: lieshan) { $0.regionCode = "340603" }
              case 2: try await harness.move(union, below: lieshan)
              default:
                _ = try await Self.update(union, to: "340603", as: .administrator, in: harness)
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
      let field = "organization.region_code"
      let expected: Set = [
        "done", "ETAG_MISMATCH", "INVALID_FIELDS \(field)=OUTSIDE_PARENT_REGION",
        "INVALID_FIELDS \(field)=CHILD_OUTSIDE_REGION",
        "INVALID_FIELDS parent=OUTSIDE_PARENT_REGION",
      ]
      #expect(outcomes.subtracting(expected) == [])
      #expect(try await harness.wrongs() == [])
    }
  }
}
