import GoogleProtobuf
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Updates fields of an organization, with a field mask and an etag.
  public func updateOrganization(
    _ request: UpdateOrganizationRequest, context: ServerContext
  ) async throws -> UpdateOrganizationResponse {
    let update = try OrganizationUpdate(request, now: clock.microseconds)
    var payload = request
    payload.requestID = ""
    let bytes = try await change(
      update.order, payload: try payload.wireBytes(), action: "update", context: context,
      isAbove: false
    ) { change, organization, _, scope in
      // The routing follows the employers that a union covers and its region, and the region of a
      // federation says whose settings its administrators may change: a level above decides them.
      guard
        update.paths.isDisjoint(with: [.employerCreditCodes, .regionCode])
          || scope.isAbove(organization)
      else { throw CommonFailure.outOfScope }
      var changed = organization
      _ = try changed.live(.change)
      update.apply(to: &changed)
      changed.version += 1
      let after = changed
      let claims = update.changesEmployers ? after.employerCreditCodes : []
      let isElsewhere = after.regionCode != organization.regionCode
      return .read(
        OrganizationStore.isClaimed(claims, besides: after.id),
        OrganizationStore.byID(isElsewhere ? after.parentID ?? "" : ""),
        organization.child(outside: after.regionCode)
      ) { isClaimed, parent, outside in
        guard !isClaimed else { throw MembersError.employerClaimed }
        let field = "organization.region_code"
        if let outside { throw FieldFailure.regionTooSmall(field, without: outside) }
        var commit = Commit(at: change.now)
        if let parent {
          try RegionCode.check(after.regionCode, within: parent.regionCode, field: field)
          commit.run(OrganizationStore.isStillRegion(of: parent))
        }
        OrganizationStore.update(after, from: organization, into: &commit)
        if isElsewhere {
          commit.run(OrganizationStore.noneBelow(after.id, outside: after.regionCode))
          if organization.changesThreshold(in: after.regionCode) {
            commit.run(OrganizationStore.isStill(organization.id, at: organization.path))
            UnitMoves.add(subtree: PathRange(subtreeOf: organization.path), into: &commit)
          }
        }
        return try change.end(
          after, detail: update.paths.map(\.rawValue).sorted().joined(separator: " "), commit)
      }
    }
    var response = UpdateOrganizationResponse()
    response.organization = try Organization(wireBytes: bytes)
    return response
  }
}

/// The validated fields of a request.
private struct OrganizationUpdate: Sendable {
  /// The fields that can be updated; kind, level and keys are immutable.
  enum Path: String, Sendable, CaseIterable {
    case displayName = "display_name"
    case regionCode = "region_code"
    case groups
    case creditCode = "credit_code"
    case employerCreditCodes = "employer_credit_codes"
    case takesIndividuals = "takes_individuals"
    case industryGroup = "industry_group"
    case openedDate = "opened_date"
  }

  private static let prefix = "organization."

  let order: OrganizationOrder
  let paths: Set<Path>
  private let fields: OrganizationFields

  var changesEmployers: Bool { paths.contains(.employerCreditCodes) }

  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every invalid field that the mask names.
  init(_ request: UpdateOrganizationRequest, now: Int64) throws {
    var checks = FieldChecks()
    let raw = request.organization ?? Organization()
    order = OrganizationOrder(
      requestID: request.requestID, name: raw.name, field: "organization.name", etag: raw.etag,
      &checks)
    if raw.etag.isEmpty { checks.add([.required("organization.etag")]) }
    paths = Self.paths(request.updateMask ?? FieldMask(), &checks)
    var all = FieldChecks()
    fields = OrganizationFields(
      checking: raw, prefix: Self.prefix, today: ChinaDate(microseconds: now).daysSinceEpoch,
      &all)
    let named = paths.map { Self.prefix + $0.rawValue }
    checks.add(
      all.failures.filter { failure in
        named.contains { failure.field == $0 || failure.field.hasPrefix($0 + "[") }
      })
    try checks.check()
  }

  private static func paths(_ mask: FieldMask, _ checks: inout FieldChecks) -> Set<Path> {
    if mask.paths.isEmpty { checks.add([.required("update_mask")]) }
    var paths: Set<Path> = []
    // A longer mask has duplicates; checking its first paths suffices for error reporting.
    for (index, text) in mask.paths.prefix(2 * Path.allCases.count).enumerated() {
      if let path = Path(rawValue: text) {
        paths.insert(path)
      } else {
        checks.add([.invalidValue("update_mask.paths[\(index)]")])
      }
    }
    return paths
  }

  func apply(to organization: inout StoredOrganization) {
    for path in paths {
      switch path {
      case .displayName: organization.displayName = fields.displayName
      case .regionCode: organization.regionCode = fields.regionCode
      case .groups: organization.groups = fields.groups
      case .creditCode: organization.creditCode = fields.creditCode
      case .employerCreditCodes: organization.employerCreditCodes = fields.employerCreditCodes
      case .takesIndividuals: organization.takesIndividuals = fields.takesIndividuals
      case .industryGroup: organization.industryGroup = fields.industryGroup
      case .openedDate: organization.openedDay = fields.openedDay
      }
    }
  }
}
