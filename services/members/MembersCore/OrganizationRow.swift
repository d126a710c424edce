import MembersV1
import ServiceKit

/// A row of an imported tree, checked, before it has its place in the tree.
struct OrganizationRow: Sendable {
  /// Employers that one union may cover.
  static let employersMax = 1_000
  static let externalIDCharacters = 1...64
  static let nameCharacters = 2...100
  /// Levels from a national root to a group of a branch, with room to spare: bounds every path.
  static let depthMax = 16

  let requestID: String
  let parentExternalID: String
  /// All but the parent and the path.
  let draft: StoredOrganization

  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every wrong field.
  init(_ request: ImportOrganizationsRequest, id: String, now: Int64) throws {
    var failures = FieldFailures()
    requestID =
      failures.take { () throws(FieldFailure) in try RequestID.parse(request.requestID) } ?? ""
    parentExternalID = request.parentExternalID
    Self.checkKeys(request, &failures)
    Self.checkEnums(request, &failures)
    let name = Self.displayName(request.displayName, &failures)
    let region = Self.regionCode(request.regionCode, &failures)
    let (creditCode, employers) = Self.creditCodes(request, &failures)
    try failures.check()
    draft = StoredOrganization(
      id: id, externalID: request.externalID, path: "", parentID: nil, displayName: name,
      kind: request.kind, level: request.level, regionCode: region, groups: Set(request.groups),
      creditCode: creditCode, employerCreditCodes: employers,
      takesIndividuals: request.takesIndividuals,
      state: request.state == .unspecified ? .active : request.state, version: 1, created: now)
  }

  /// The organization in its place.
  ///
  /// A root comes first, or from an administrator of the whole tree; anything else under a parent
  /// in the caller's subtree.
  ///
  /// - Throws: ``MembersError/parentNotFound``, ``CommonFailure/outOfScope``,
  ///   ``CommonFailure/invalidFields(_:)`` where the tree would be too deep.
  func place(
    scope: StaffScope, parent: StoredOrganization?, isStarted: Bool
  ) throws -> StoredOrganization {
    var placed = draft
    guard !parentExternalID.isEmpty else {
      guard !isStarted || scope.isWholeTree else { throw CommonFailure.outOfScope }
      placed.path = draft.id
      return placed
    }
    guard let parent else { throw MembersError.parentNotFound }
    guard scope.holds(parent.path) else { throw CommonFailure.outOfScope }
    guard parent.path.utf8.count / 32 < Self.depthMax else {
      throw FieldFailure(
        field: "parent_external_id", reason: "TOO_DEEP",
        text: LocalizedText(
          zh: "组织层级过深,最多 \(Self.depthMax) 级。",
          en: "The tree would be deeper than \(Self.depthMax) levels."))
    }
    placed.parentID = parent.id
    placed.path = parent.path + draft.id
    return placed
  }
}

// MARK: - Fields

extension OrganizationRow {
  private static func isKey(_ text: String) -> Bool {
    externalIDCharacters.contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "."), UInt8(ascii: "_"),
          UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }

  private static func checkKeys(
    _ request: ImportOrganizationsRequest, _ failures: inout FieldFailures
  ) {
    let text = LocalizedText(
      zh: "外部编号应为 1 至 64 位字母、数字或 . _ -。",
      en: "An external id is 1 to 64 of letters, digits and . _ -.")
    if !isKey(request.externalID) {
      failures.add(
        "external_id", request.externalID.isEmpty ? "REQUIRED" : "INVALID_VALUE", text)
    }
    if !request.parentExternalID.isEmpty, !isKey(request.parentExternalID) {
      failures.add("parent_external_id", "INVALID_VALUE", text)
    }
  }

  private static func checkEnums(
    _ request: ImportOrganizationsRequest, _ failures: inout FieldFailures
  ) {
    if !isKnown(request.kind) { failures.add([.invalidValue("kind")]) }
    if !isKnown(request.level) { failures.add([.invalidValue("level")]) }
    for (index, group) in request.groups.enumerated() where !isKnown(group) {
      failures.add([.invalidValue("groups[\(index)]")])
    }
    // A dissolved organization is history: it is made by dissolving one.
    if ![.unspecified, .preparing, .active, .suspended].contains(request.state) {
      failures.add([.invalidValue("state")])
    }
  }

  private static func isKnown(_ kind: OrganizationKind) -> Bool {
    kind != .unspecified && OrganizationKind.allCases.contains(kind)
  }

  private static func isKnown(_ level: OrganizationLevel) -> Bool {
    level != .unspecified && OrganizationLevel.allCases.contains(level)
  }

  private static func isKnown(_ group: OccupationGroup) -> Bool {
    group != .unspecified && OccupationGroup.allCases.contains(group)
  }
}

// MARK: - Texts

extension OrganizationRow {
  private static func displayName(_ raw: String, _ failures: inout FieldFailures) -> String {
    failures.take { () throws(FieldFailure) in
      try PlainText.checked(raw, field: "display_name", characters: nameCharacters)
    } ?? ""
  }

  /// The nation is 000000; any other region is in force.
  private static func regionCode(_ raw: String, _ failures: inout FieldFailures) -> String {
    let code = Normalization.text(raw)
    if code.isEmpty {
      failures.add([.required("region_code")])
    } else if code != "000000", !RegionTable.shared.isCurrent(code) {
      failures.add([.unknownRegion("region_code")])
    }
    return code
  }

  private static func creditCodes(
    _ request: ImportOrganizationsRequest, _ failures: inout FieldFailures
  ) -> (own: String, employers: [String]) {
    var own = ""
    if !request.creditCode.isEmpty {
      own =
        failures.take { () throws(FieldFailure) in
          let code = try CreditCode(checking: request.creditCode, field: "credit_code")
          guard code.kind == .union else {
            throw .invalidCreditCode("credit_code", CreditCode.Texts.notUnion)
          }
          return code.text
        } ?? ""
    }
    guard request.employerCreditCodes.count <= employersMax else {
      failures.add(
        "employer_credit_codes", "TOO_MANY",
        LocalizedText(
          zh: "最多覆盖 \(employersMax) 个单位。", en: "At most \(employersMax) employers."))
      return (own, [])
    }
    let employers = request.employerCreditCodes.enumerated().compactMap { index, raw in
      failures.take { () throws(FieldFailure) in
        let field = "employer_credit_codes[\(index)]"
        let code = try CreditCode(checking: raw, field: field)
        guard code.kind != .union else {
          throw .invalidCreditCode(field, CreditCode.Texts.union)
        }
        return code.text
      }
    }
    // Sorted, so that the same set in another order is the same content.
    return (own, Set(employers).sorted())
  }
}
