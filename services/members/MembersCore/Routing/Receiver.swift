import MembersV1
import ServiceKit

/// The organization that receives a person, with the rule that selected it.
struct Receiver: Sendable {
  let organization: StoredOrganization
  let route: Route
  let reason: LocalizedText
  /// Whether the region requires approval before the person becomes a member of its pool.
  let waitsForApproval: Bool

  /// The membership input; a pooled person is a member (先入会再分流).
  var input: Membership.Input { route == .holdingPool ? .joinPool : .join }
}

/// The routing rules (SPEC §3): a pure function of the application, the active candidate
/// organizations and the regions' settings. The first rule of the region's list that matches wins;
/// of several organizations, the one of the smallest region, then the one with the lowest id.
struct Routing: Sendable {
  let application: EnrollmentApplication
  let candidates: [StoredOrganization]
  let settings: [RegionSetting]

  /// Returns the receiver; `nil` if no rule matches and there is no pool.
  func receiver() -> Receiver? { first(of: rules) }

  /// Returns the union of rule 1 or 2, whether or not the person is its member; `nil` if neither
  /// rule matches.
  func ownUnion() -> Receiver? {
    first(of: rules.filter { $0 == .employerUnion || $0 == .industryFederation })
  }

  /// The rules of the person's region in their order.
  private var rules: [RoutingRule] { setting?.rules ?? RoutingRule.standard }

  private func first(of rules: [RoutingRule]) -> Receiver? {
    rules.lazy.compactMap(receiver(by:)).first
  }

  private func receiver(by rule: RoutingRule) -> Receiver? {
    switch rule {
    case .employerUnion: employerUnion()
    case .industryFederation: industryFederation()
    case .areaUnion: areaUnion()
    case .newFormFederation: federationOfNewForms()
    case .holdingPool: pool()
    }
  }

  /// The setting of the smallest configured region.
  private var setting: RegionSetting? { settings.narrowest(of: application.settingRegionCodes) }

  /// Rule 1 (重点建): a clear labour relation, and the employer has a union.
  private func employerUnion() -> Receiver? {
    let code = application.employerCreditCode
    guard application.labourRelation == .clear, !code.isEmpty else { return nil }
    let union = best(candidates.filter { $0.employerCreditCodes.contains(code) })
    return union.map {
      receive(
        $0, .employerUnion,
        LocalizedText(
          zh: "规则一（重点建）：劳动关系明确，用人单位已建工会",
          en: "rule 1: a clear labour relation, and the employer has a union"))
    }
  }

  /// Rule 2 (行业建): an industry federation that takes individuals of the occupation in the first
  /// given area.
  private func industryFederation() -> Receiver? {
    guard let area = application.givenAreas.first else { return nil }
    let regions = area.regionCodes
    let federation = best(
      candidates.filter {
        $0.kind == .industryFederation && $0.takesIndividuals && regions.contains($0.regionCode)
          && ($0.groups.isEmpty || $0.groups.contains(application.group))
      })
    return federation.map {
      receive(
        $0, .industryFederation,
        LocalizedText(
          zh: "规则二（行业建）：\(area.label.zh)有吸纳该职业群体的行业工会联合会",
          en: "rule 2: an industry federation takes this occupation in the \(area.label.en)"))
    }
  }

  /// Rule 3 (兜底建): the union of the area.
  private func areaUnion() -> Receiver? {
    for area in application.givenAreas {
      for region in [area.village, area.township].compactMap({ $0 }) {
        let union = best(
          candidates.filter { $0.regionCode == region && Self.areaKinds.contains($0.kind) })
        if let union {
          return receive(
            union, .areaUnion,
            LocalizedText(
              zh: "规则三（兜底建）：\(area.label.zh)所在村（社区）或乡镇（街道）工会",
              en: "rule 3: the village or township union of the \(area.label.en)"))
        }
      }
    }
    return nil
  }

  /// Rule 3 of regions that chose it: the federation of new forms of employment of the county, or
  /// else of the city.
  private func federationOfNewForms() -> Receiver? {
    for area in application.givenAreas {
      for region in [area.county, area.city] {
        let federation = best(
          candidates.filter { $0.regionCode == region && $0.kind == .newFormFederation })
        if let federation {
          return receive(
            federation, .newFormFederation,
            LocalizedText(
              zh: "规则三（兜底建）：本地区由新就业形态工会联合会接收（\(area.label.zh)）",
              en: "rule 3: this region's federation of new forms of employment (\(area.label.en))"))
        }
      }
    }
    return nil
  }

  /// Rule 4 (周转池): the holding pool of the county, or else of the city.
  private func pool() -> Receiver? {
    let why =
      rules.first == .holdingPool
      ? LocalizedText(zh: "本地区先入周转池", en: "this region pools first")
      : LocalizedText(zh: "其他规则均无可接收的组织", en: "no other rule found a union")
    for area in application.givenAreas {
      for region in [area.county, area.city] {
        let pool = best(candidates.filter { $0.regionCode == region && $0.kind == .holdingPool })
        if let pool {
          return Receiver(
            organization: pool, route: .holdingPool,
            reason: LocalizedText(
              zh: "规则四（周转池）：\(why.zh)，进入\(area.label.zh)的\(pool.displayName)",
              en: "rule 4: \(why.en); the holding pool of the \(area.label.en)"),
            waitsForApproval: setting?.approveFirst == true)
        }
      }
    }
    return nil
  }

  /// The kinds of unions of a village or township.
  private static let areaKinds: Set<OrganizationKind> = [
    .villageUnion, .townshipUnion, .onlineMemberHome,
  ]

  private func receive(
    _ organization: StoredOrganization, _ route: Route, _ why: LocalizedText
  ) -> Receiver {
    Receiver(
      organization: organization, route: route,
      reason: LocalizedText(zh: "\(why.zh)：\(organization.displayName)", en: why.en),
      waitsForApproval: false)
  }

  private func best(_ fitting: [StoredOrganization]) -> StoredOrganization? {
    fitting.min { ($1.narrowness, $0.id) < ($0.narrowness, $1.id) }
  }
}

extension StoredOrganization {
  /// The number of significant digits of the region code.
  fileprivate var narrowness: Int { RegionCode.digits(of: regionCode).count }
}
