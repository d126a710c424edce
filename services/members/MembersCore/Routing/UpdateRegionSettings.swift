import GoogleProtobuf
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Changes the settings of a region; one without settings of its own gets them.
  public func updateRegionSettings(
    _ request: UpdateRegionSettingsRequest, context: ServerContext
  ) async throws -> UpdateRegionSettingsResponse {
    let caller = try context.caller
    let update = try RegionUpdate(request)
    var payload = request
    payload.requestID = ""
    let now = clock.now
    let reply = try await writeOnce(
      update.requestID, payload: try payload.wireBytes(), at: now, context
    ) {
      .read(
        StaffScope.query(of: caller),
        RegionSettingStore.byRegions(StoredOrganization.settingRegionCodes(of: update.code)),
        OrganizationStore.byExternalID(update.custodian)
      ) { scope, settings, custodian in
        .read(OrganizationStore.along(scope.path ?? "")) { levels in
          guard scope.isWholeTree || levels.govern(update.code) else {
            throw CommonFailure.outOfScope
          }
          guard RegionTable.shared.isCurrent(update.code) else {
            throw MembersError.regionNotFound
          }
          var setting = settings.applying(in: update.code).setting
          try Etag.check(update.etag, setting.version)
          if !update.custodian.isEmpty {
            guard let custodian, scope.holds(custodian.path) else {
              throw MembersError.organizationNotFound
            }
            guard custodian.state != .dissolved else { throw RegionUpdate.custodianDissolved }
          }
          update.apply(to: &setting)
          setting.version += 1
          var commit = Commit(at: now)
          commit.run(RegionSettingStore.set(setting))
          // The custodian is not dissolved meanwhile.
          if let custodian { commit.run(OrganizationStore.isStill(custodian)) }
          if update.paths.contains(.unitThreshold) { commit.changeUnitThresholds() }
          commit.record(
            AuditEntry(
              actor: caller.subject, action: "regionSettings.update",
              target: "regionSettings/\(update.code)", detail: Array(update.detail.utf8)))
          return .commit(
            commit, try AppliedSetting(setting: setting).message.wireBytes())
        }
      }
    }
    // The indexes are open when the call is answered. If the call is lost, the folds go on.
    if update.paths.contains(.unitThreshold) { try await reviewUnits() }
    return try .with { $0.settings = try RegionSettings(wireBytes: reply) }
  }
}

extension [StoredOrganization] {
  /// Returns whether the administrators of the last organization of a path decide about a region:
  /// it is a regional federation, and each regional federation of the path is one of the region, or
  /// of a region that contains it. So an administrator who names the region of a federation below
  /// does not thereby decide about regions that are not theirs.
  fileprivate func govern(_ code: String) -> Bool {
    last?.kind == .regionalFederation
      && allSatisfy { $0.kind != .regionalFederation || $0.governs(code) }
  }
}

extension StoredOrganization {
  /// Returns whether a regional federation is one of a region, or of one that contains it. The
  /// level, which never changes, must fit the region that the organization names.
  fileprivate func governs(_ code: String) -> Bool {
    let digits: Int
    switch level {
    case .national: digits = 0
    case .province: digits = 2
    case .city: digits = 4
    case .county: digits = 6
    default: return false
    }
    return regionCode.utf8.count == 6 && regionCode.prefix(digits) == code.prefix(digits)
  }
}

/// The validated fields of a request.
private struct RegionUpdate: Sendable {
  enum Path: String, Sendable, CaseIterable {
    case rules
    case approveFirst = "approve_first"
    case poolDays = "pool_days"
    case poolCustodian = "pool_custodian"
    case transferDays = "transfer_days"
    case unitThreshold = "unit_threshold"
  }

  private static let custodianCharactersMax = 64

  static let custodianDissolved = FieldFailure(
    field: "settings.pool_custodian", reason: "ORGANIZATION_DISSOLVED",
    text: LocalizedText(
      zh: "该组织已撤销，请另选。", en: "That organization was dissolved: name another one."))

  let requestID: String
  let code: String
  let etag: String
  let paths: Set<Path>
  /// The new values of the named fields.
  private let values: RegionSetting

  /// The external id of a new custodian; empty if there is none.
  var custodian: String { paths.contains(.poolCustodian) ? values.poolCustodian : "" }

  /// The changed fields for the audit log, with the rules in their order.
  var detail: String {
    paths.map { path in
      path == .rules
        ? "rules=\(values.rules.map(\.rawValue).joined(separator: ","))" : path.rawValue
    }.sorted().joined(separator: " ")
  }

  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every invalid field that the mask names.
  init(_ request: UpdateRegionSettingsRequest) throws {
    var checks = FieldChecks()
    let raw = request.settings ?? RegionSettings()
    requestID = checks.requestID(request.requestID) ?? ""
    code =
      checks.take { () throws(FieldFailure) in
        try RegionSetting.code(named: raw.name, field: "settings.name")
      } ?? ""
    etag = raw.etag
    if raw.etag.isEmpty { checks.add([.required("settings.etag")]) }
    let names = request.updateMask?.paths ?? []
    paths = Set(names.prefix(2 * Path.allCases.count).compactMap(Path.init))
    if names.isEmpty { checks.add([.required("update_mask")]) }
    if names.contains(where: { Path(rawValue: $0) == nil }) {
      checks.add([.invalidValue("update_mask")])
    }
    var values = RegionSetting(regionCode: code)
    values.approveFirst = raw.approveFirst
    (values.poolDays, values.transferDays) = (Int(raw.poolDays), Int(raw.transferDays))
    values.unitThreshold = Int(raw.unitThreshold)
    if paths.contains(.rules) { values.rules = Self.rules(raw.rules, &checks) }
    if paths.contains(.poolCustodian) {
      values.poolCustodian =
        checks.take { () throws(FieldFailure) in
          try PlainText.checked(
            raw.poolCustodian, field: "settings.pool_custodian",
            characters: 0...Self.custodianCharactersMax)
        } ?? ""
    }
    for (field, range, value) in values.numbers
    where paths.contains(where: { $0.rawValue == field }) && !range.contains(value) {
      checks.add(
        "settings.\(field)", "OUT_OF_RANGE",
        LocalizedText(
          zh: "应为 \(range.lowerBound) 至 \(range.upperBound)。",
          en: "\(range.lowerBound) to \(range.upperBound)."))
    }
    self.values = values
    try checks.check()
  }

  private static func rules(_ routes: [Route], _ checks: inout FieldChecks) -> [RoutingRule] {
    guard routes.count <= RoutingRule.allCases.count else {
      checks.add(
        "settings.rules", "INVALID_RULES",
        LocalizedText(zh: "同一规则只能出现一次。", en: "each rule once"))
      return []
    }
    for (index, route) in routes.enumerated() where RoutingRule(route) == nil {
      checks.add([.invalidValue("settings.rules[\(index)]")])
    }
    let rules = routes.compactMap { RoutingRule($0) }
    for fault in RoutingRule.faults(of: rules) {
      checks.add("settings.rules", "INVALID_RULES", fault)
    }
    return rules
  }

  func apply(to setting: inout RegionSetting) {
    for path in paths {
      switch path {
      case .rules: setting.rules = values.rules
      case .approveFirst: setting.approveFirst = values.approveFirst
      case .poolDays: setting.poolDays = values.poolDays
      case .poolCustodian: setting.poolCustodian = values.poolCustodian
      case .transferDays: setting.transferDays = values.transferDays
      case .unitThreshold: setting.unitThreshold = values.unitThreshold
      }
    }
  }
}
