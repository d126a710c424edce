import MembersV1
import ServiceKit
import Testing

@testable import MembersCore

@Suite("Routing")
struct RoutingTests {
  private static let employer = "91350100M000100Y43"

  private func organization(
    _ id: Int, _ kind: OrganizationKind, _ region: String, groups: Set<OccupationGroup> = [],
    employers: [String] = [], takesIndividuals: Bool = true
  ) -> StoredOrganization {
    let id = hexID(id)
    return StoredOrganization(
      id: id, externalID: id, path: id, parentID: nil, displayName: "工会", kind: kind,
      level: .county, regionCode: region, groups: groups, creditCode: "",
      employerCreditCodes: employers, takesIndividuals: takesIndividuals, state: .active,
      version: 1, created: 0)
  }

  private func application(
    _ change: (inout EnrollmentApplication) -> Void = { _ in }
  ) throws -> CheckedApplication {
    var checks = FieldChecks()
    let raw = Applicant.application(1, change)
    return try #require(
      CheckedApplication(
        checking: raw, channel: .partner, now: 1_795_000_000_000_000,
        codes: { (text) throws(MembersError) in text }, checks: &checks),
      "\(checks.failures)")
  }

  private func receiver(
    _ candidates: [StoredOrganization], _ settings: [RegionSetting] = [],
    _ change: (inout EnrollmentApplication) -> Void = { _ in }
  ) throws -> Receiver? {
    Routing(
      application: try application(change).message, candidates: candidates, settings: settings
    )
    .receiver()
  }

  @Test("rule 1 needs a clear labour relation and the employer's union")
  func employerUnion() throws {
    let union = organization(1, .enterpriseUnion, "340603", employers: [Self.employer])
    let pool = organization(2, .holdingPool, "340603")
    for (relation, route) in [
      (LabourRelation.clear, Route.employerUnion), (.unclear, .holdingPool), (.none, .holdingPool),
      (.unspecified, .holdingPool),
    ] {
      let found = try receiver([union, pool]) {
        $0.labourRelation = relation
        $0.employerCreditCode = Self.employer
      }
      #expect(found?.route == route)
    }
  }

  @Test("rule 2 uses the first area given, the right occupation, and unions that take individuals")
  func industryFederation() throws {
    let couriers = organization(1, .industryFederation, "340600", groups: [.courier])
    #expect(try receiver([couriers])?.route == .industryFederation)
    #expect(try receiver([couriers]) { $0.group = .truckDriver } == nil)
    let closed = organization(2, .industryFederation, "340600", takesIndividuals: false)
    #expect(try receiver([closed]) == nil)
    let found = try receiver([couriers]) {
      $0.areas?.work = "130302001"
      $0.areas?.residence = "340603100"
    }
    #expect(found == nil, "the residence counts only where no work area is given")
  }

  @Test("rule 3 falls back to the residence where the work area has no active union")
  func areas() throws {
    let home = organization(1, .townshipUnion, "340603100")
    let found = try receiver([home]) {
      $0.areas?.work = "130302001"
      $0.areas?.residence = "340603100"
    }
    #expect(found?.organization.id == home.id)
    #expect(found?.route == .areaUnion)
  }

  @Test("of several matches the narrowest region wins, then the smallest id")
  func narrowest() throws {
    let village = organization(3, .villageUnion, "340603100201")
    let town = organization(1, .townshipUnion, "340603100")
    let found = try receiver([town, village]) { $0.areas?.work = "340603100201" }
    #expect(found?.organization.id == village.id)
    let city = organization(1, .industryFederation, "340600")
    let county = organization(9, .industryFederation, "340603")
    let twin = organization(7, .industryFederation, "340603")
    #expect(try receiver([city, county, twin])?.organization.id == twin.id)
  }

  @Test("rule 4 chooses the county's pool, else the city's; nobody is refused")
  func pools() throws {
    let county = organization(2, .holdingPool, "340603")
    let city = organization(1, .holdingPool, "340600")
    #expect(try receiver([city, county])?.organization.id == county.id)
    #expect(try receiver([city])?.organization.id == city.id)
    #expect(try receiver([city])?.input == .joinPool)
    #expect(try receiver([]) == nil)
  }

  @Test("a region may pool first, approve first, or choose its federation of new forms")
  func settings() throws {
    let town = organization(1, .townshipUnion, "340603100")
    let pool = organization(2, .holdingPool, "340600")
    let newForms = organization(3, .newFormFederation, "340600")
    let all = [town, pool, newForms]
    let pooled = try receiver(all, [RegionSetting(regionCode: "340600", rules: .poolFirst)])
    #expect(pooled?.route == .holdingPool)
    #expect(pooled?.waitsForApproval == false)
    let approved = try receiver(
      all, [RegionSetting(regionCode: "340600", rules: .poolFirst, approveFirst: true)])
    #expect(approved?.waitsForApproval == true)
    let federation = try receiver(
      all, [RegionSetting(regionCode: "340600", rules: .newForms)])
    #expect(federation?.route == .newFormFederation)
    let narrower = try receiver(
      all,
      [
        RegionSetting(regionCode: "340600", rules: .poolFirst), RegionSetting(regionCode: "340603"),
      ])
    #expect(narrower?.route == .areaUnion, "the narrowest stated region counts")
  }

  @Test("the rules are tried in the order of the region's list, and only those in it")
  func order() throws {
    let union = organization(1, .enterpriseUnion, "340603", employers: [Self.employer])
    let couriers = organization(2, .industryFederation, "340600", groups: [.courier])
    let town = organization(3, .townshipUnion, "340603100")
    let pool = organization(4, .holdingPool, "340600")
    let routes = { (rules: [RoutingRule], candidates: [StoredOrganization]) in
      try receiver(candidates, [RegionSetting(regionCode: "340600", rules: rules)]) {
        $0.labourRelation = .clear
        $0.employerCreditCode = Self.employer
      }?.route
    }
    let all = [union, couriers, town, pool]
    #expect(try routes(RoutingRule.standard, all) == .employerUnion)
    #expect(try routes([.areaUnion, .employerUnion, .holdingPool], all) == .areaUnion)
    let federationFirst: [RoutingRule] = [.industryFederation, .employerUnion, .holdingPool]
    #expect(try routes(federationFirst, all) == .industryFederation)
    #expect(try routes([.industryFederation, .holdingPool], [union, town, pool]) == .holdingPool)
    #expect(try routes(.poolFirst, all) == .holdingPool)
    #expect(try routes(.poolFirst, [union, town]) == .employerUnion, "there is no pool")
  }

  @Test("the reason names the rule in both languages")
  func reasons() throws {
    let found = try #require(try receiver([organization(1, .townshipUnion, "340603100")]))
    #expect(found.reason.zh.contains("规则三"))
    #expect(found.reason.en.contains("rule 3"))
  }
}
