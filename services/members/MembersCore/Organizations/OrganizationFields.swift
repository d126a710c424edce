import GoogleType
import MembersV1
import ServiceKit

/// The validated and normalized fields of an organization, common to imports, foundings and
/// updates.
struct OrganizationFields: Sendable {
  /// The maximum number of employers that one union may cover.
  static let employersMax = 1_000
  private static let nameCharacters = 2...100
  private static let industryGroupCharacters = 0...50

  private(set) var displayName = ""
  private(set) var kind: OrganizationKind
  private(set) var level: OrganizationLevel
  private(set) var regionCode = ""
  private(set) var groups: Set<OccupationGroup>
  private(set) var creditCode = ""
  private(set) var employerCreditCodes: [String] = []
  private(set) var takesIndividuals: Bool
  private(set) var industryGroup = ""
  /// The opening date in China, in days since 1970-01-01.
  private(set) var openedDay: Int?

  /// Validates all fields; failures name them with `prefix`.
  ///
  /// - Parameter today: The current day in China, in days since 1970-01-01.
  init(
    checking raw: Organization, prefix: String = "", today: Int, _ checks: inout FieldChecks
  ) {
    kind = raw.kind
    level = raw.level
    groups = Set(raw.groups)
    takesIndividuals = raw.takesIndividuals
    Self.checkEnums(raw, prefix, &checks)
    displayName =
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(
          raw.displayName, field: prefix + "display_name", characters: Self.nameCharacters)
      } ?? ""
    regionCode = Self.regionCode(raw.regionCode, prefix + "region_code", &checks)
    creditCode = Self.ownCreditCode(raw.creditCode, prefix + "credit_code", &checks)
    employerCreditCodes = Self.employers(
      raw.employerCreditCodes, prefix + "employer_credit_codes", &checks)
    industryGroup =
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(
          raw.industryGroup, field: prefix + "industry_group",
          characters: Self.industryGroupCharacters)
      } ?? ""
    openedDay = Self.openedDay(raw.openedDate, prefix + "opened_date", today, &checks)
  }

  private static func checkEnums(
    _ raw: Organization, _ prefix: String, _ checks: inout FieldChecks
  ) {
    if raw.kind == .unspecified || !OrganizationKind.allCases.contains(raw.kind) {
      checks.add([.invalidValue(prefix + "kind")])
    }
    if raw.level == .unspecified || !OrganizationLevel.allCases.contains(raw.level) {
      checks.add([.invalidValue(prefix + "level")])
    }
    for (index, group) in raw.groups.enumerated()
    where group == .unspecified || !OccupationGroup.allCases.contains(group) {
      checks.add([.invalidValue("\(prefix)groups[\(index)]")])
    }
  }

  /// Returns the region code: 000000 for the nation, otherwise one in force.
  static func regionCode(
    _ raw: String, _ field: String, _ checks: inout FieldChecks
  ) -> String {
    let code = Normalization.text(raw)
    if code.isEmpty {
      checks.add([.required(field)])
    } else if code != "000000", !RegionTable.shared.isCurrent(code) {
      checks.add([.unknownRegion(field)])
    }
    return code
  }

  private static func ownCreditCode(
    _ raw: String, _ field: String, _ checks: inout FieldChecks
  ) -> String {
    guard !raw.isEmpty else { return "" }
    return checks.take { () throws(FieldFailure) in
      let code = try CreditCode(checking: raw, field: field)
      guard code.kind == .union else {
        throw .invalidCreditCode(field, CreditCode.Texts.notUnion)
      }
      return code.text
    } ?? ""
  }

  private static func employers(
    _ raw: [String], _ field: String, _ checks: inout FieldChecks
  ) -> [String] {
    guard raw.count <= employersMax else {
      checks.add(
        field, "TOO_MANY",
        LocalizedText(
          zh: "最多覆盖 \(employersMax) 个单位。", en: "At most \(employersMax) employers."))
      return []
    }
    let employers = raw.enumerated().compactMap { index, raw in
      checks.take { () throws(FieldFailure) in
        let field = "\(field)[\(index)]"
        let code = try CreditCode(checking: raw, field: field)
        guard code.kind != .union else {
          throw .invalidCreditCode(field, CreditCode.Texts.union)
        }
        return code.text
      }
    }
    // Sorted, so that the order of the codes does not matter in comparisons.
    return Set(employers).sorted()
  }

  private static func openedDay(
    _ date: GoogleType.Date?, _ field: String, _ today: Int, _ checks: inout FieldChecks
  ) -> Int? {
    guard let date else { return nil }
    guard
      let day = ChinaDate(year: Int(date.year), month: Int(date.month), day: Int(date.day))?
        .daysSinceEpoch
    else {
      checks.add([.invalidValue(field)])
      return nil
    }
    if day > today { checks.add([.inFuture(field)]) }
    return day
  }
}

/// The key by which founders and importers identify an organization.
enum ExternalID {
  private static let characters = 1...64

  /// - Throws: REQUIRED, INVALID_VALUE.
  static func checked(_ text: String, field: String) throws(FieldFailure) -> String {
    guard characters.contains(text.utf8.count), text.utf8.allSatisfy(isAllowed) else {
      throw FieldFailure(
        field: field, reason: text.isEmpty ? "REQUIRED" : "INVALID_VALUE",
        text: LocalizedText(
          zh: "外部编号应为 1 至 64 位字母、数字或 . _ -。",
          en: "An external id is 1 to 64 of letters, digits and . _ -."))
    }
    return text
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "-"):
      true
    default: false
    }
  }
}
