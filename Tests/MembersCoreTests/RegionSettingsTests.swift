import Foundation
import GoogleProtobuf
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Settings of regions")
struct RegionSettingsTests {
  private func update(
    _ code: String, _ paths: [String], etag: String = "v0",
    _ change: (inout RegionSettings) -> Void = { _ in }
  ) -> UpdateRegionSettingsRequest {
    var request = UpdateRegionSettingsRequest()
    request.requestID = UUID().uuidString
    var settings = RegionSettings()
    settings.name = "regionSettings/\(code)"
    settings.etag = etag
    change(&settings)
    request.settings = settings
    request.updateMask = .with { $0.paths = paths }
    return request
  }

  private func get(_ code: String, _ client: MembersServiceClient) async throws -> RegionSettings? {
    try await client.getRegionSettings(.with { $0.name = "regionSettings/\(code)" }).settings
  }

  @Test("administrators of the region change its rules, which apply at once and outlast a restart")
  func changed() async throws {
    var configuration = MembersConfiguration()
    configuration.regions = [RegionSetting(regionCode: "340600", poolDays: 7)]
    try await Harness.run(configuration) { harness in
      let names = try await harness.plantTree()
      let client = try harness.client(.staff(names["huaibei"] ?? ""))
      let inherited = try await get("340603", client)
      #expect(inherited?.rules == RoutingRule.standard.map(\.route))
      #expect(inherited?.poolDays == 7)
      #expect(inherited?.inheritedFrom == "regionSettings/340600")
      let usual = try await harness.submit(Applicant.application(1), as: .administrator)
      #expect(usual.organization == names["quegou"])
      let request = update("340603", ["rules"]) {
        $0.rules = [Route.holdingPool, .employerUnion]
        $0.poolDays = 99
      }
      let changed = try await client.updateRegionSettings(request)
      #expect(changed.settings?.rules == [.holdingPool, .employerUnion])
      #expect(changed.settings?.poolDays == 7, "not in the mask")
      #expect(changed.settings?.inheritedFrom == "")
      #expect(try await client.updateRegionSettings(request) == changed, "a retry")
      let pooled = try await harness.submit(Applicant.application(2), as: .administrator)
      #expect(pooled.organization == names["xiangshan-pool"])
      var stale = request
      stale.requestID = UUID().uuidString
      #expect(
        try await refusal { try await client.updateRegionSettings(stale) } == "ETAG_MISMATCH")
      // A restart with the same file, or a replica with another one, changes nothing.
      var other = configuration
      other.regions = [
        RegionSetting(regionCode: "340600", poolDays: 30),
        RegionSetting(regionCode: "340603", rules: RoutingRule.standard),
      ]
      try await MembersService(
        database: harness.database, keys: harness.keys, clock: Clock { harness.clock.now },
        configuration: other
      ).prepare()
      #expect(try await get("340603", client) == changed.settings)
      var list = ListRegionSettingsRequest()
      list.pageSize = 1
      let first = try await client.listRegionSettings(list)
      list.pageToken = first.nextPageToken
      let second = try await client.listRegionSettings(list)
      #expect(
        (first.settings + second.settings).map(\.name)
          == ["regionSettings/340600", "regionSettings/340603"])
      #expect(second.nextPageToken.isEmpty)
    }
  }

  @Test("wrong values are refused with every field, and so are callers of other regions")
  func refused() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree(
        Tree.rows + [
          Tree.row("foreign", "huaibei", "龙子湖区总工会", .regionalFederation, .county, "340600")
        ])
      // As in stores from before regions had to lie within the parent's: a city must not get at the
      // regions of others by a federation that it founds.
      var commit = Commit(at: harness.clock.now)
      commit.run(
        "UPDATE organizations SET region_code = '340302' WHERE external_id = 'foreign'")
      try await harness.database.write(commit)
      let client = try harness.client(.administrator)
      let wrong = update("340603", ["rules", "pool_days", "unit_threshold"], etag: "") {
        $0.rules = [.areaUnion, .areaUnion, .organizationCode]
        $0.unitThreshold = 1
      }
      #expect(
        try await refusal { try await client.updateRegionSettings(wrong) }
          == """
          INVALID_FIELDS settings.etag=REQUIRED settings.rules[2]=INVALID_VALUE \
          settings.rules=INVALID_RULES settings.rules=INVALID_RULES \
          settings.pool_days=OUT_OF_RANGE settings.unit_threshold=OUT_OF_RANGE
          """)
      #expect(
        try await refusal {
          try await client.updateRegionSettings(update("990000", ["approve_first"]))
        } == "REGION_NOT_FOUND")
      let approve = { (caller: String, code: String) in
        try await harness.client(.staff(names[caller] ?? "")).updateRegionSettings(
          update(code, ["approve_first"]) { $0.approveFirst = true })
      }
      for (caller, code) in [
        ("xiangshan", "340604"), ("xiangshan", "340600"), ("quegou", "340603"),
        ("drivers", "340603"), ("huaibei", "340300"), ("foreign", "340302"),
      ] {
        #expect(try await refusal { try await approve(caller, code) } == "OUT_OF_SCOPE")
      }
      #expect(try await approve("xiangshan", "340603").settings?.approveFirst == true)
      #expect(try await approve("anhui", "340300").settings?.approveFirst == true)
      let custodian = update("340604", ["pool_custodian"]) { $0.poolCustodian = "huaibei" }
      #expect(
        try await refusal {
          try await harness.client(.staff(names["lieshan"] ?? "")).updateRegionSettings(custodian)
        } == "ORGANIZATION_NOT_FOUND")
    }
  }

  @Test("a federation's own administrators do not change its region, which says what they govern")
  func region() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      var request = UpdateOrganizationRequest()
      request.requestID = UUID().uuidString
      var organization = try await harness.organization(names["xiangshan"] ?? "")
      organization.regionCode = "340600"
      request.organization = organization
      request.updateMask = .with { $0.paths = ["region_code"] }
      let own = try harness.client(.staff(names["xiangshan"] ?? ""))
      #expect(try await refusal { try await own.updateOrganization(request) } == "OUT_OF_SCOPE")
      let above = try harness.client(.staff(names["huaibei"] ?? ""))
      #expect(try await above.updateOrganization(request).organization?.regionCode == "340600")
    }
  }

  @Test("a lower threshold opens the index of a unit that has reached it, without a restart")
  func threshold() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      for number in 1...3 {
        _ = try await harness.submit(
          Applicant.application(number) { $0.employerName = "某运输队" }, as: .administrator)
      }
      try await harness.service.foldUnits()
      let client = try harness.client(.administrator)
      #expect(try await client.listUnits(.with { $0.states = [.triggered] }).units.isEmpty)
      _ = try await client.updateRegionSettings(
        update("340603", ["unit_threshold"]) { $0.unitThreshold = 3 })
      #expect(try await client.listUnits(.with { $0.states = [.triggered] }).units.count == 1)
    }
  }
}
