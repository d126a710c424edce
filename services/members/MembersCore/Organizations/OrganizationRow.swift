import MembersV1
import ServiceKit

/// A validated row of an imported tree, without its place in the tree.
struct OrganizationRow: Sendable {
  let requestID: String
  let parentExternalID: String
  /// The organization without parent and path.
  let draft: StoredOrganization
  /// Whether the row has a state.
  private let hasState: Bool
  /// The failure of a region that is not in force; `nil` if it is.
  private let unknownRegion: FieldFailure?

  /// - Parameter author: The importing caller.
  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every invalid field; but a region that is
  ///   not in force, if nothing else is wrong, only concerns a new organization.
  init(_ request: ImportOrganizationsRequest, id: String, author: String, now: Int64) throws {
    var checks = FieldChecks()
    requestID =
      checks.requestID(request.requestID) ?? ""
    parentExternalID = request.parentExternalID
    let externalID = checks.take { () throws(FieldFailure) in
      try ExternalID.checked(request.externalID, field: "external_id")
    }
    if !request.parentExternalID.isEmpty {
      _ = checks.take { () throws(FieldFailure) in
        try ExternalID.checked(request.parentExternalID, field: "parent_external_id")
      }
    }
    let fields = OrganizationFields(
      checking: request.organization,
      today: ChinaDate(microseconds: now).daysSinceEpoch, &checks)
    // The state DISSOLVED results only from dissolving an organization.
    if ![.unspecified, .preparing, .active, .suspended].contains(request.state) {
      checks.add([.invalidValue("state")])
    }
    unknownRegion = checks.failures.first { $0.reason == FieldFailure.unknownRegion("").reason }
    if unknownRegion == nil || checks.failures.count > 1 { try checks.check() }
    hasState = request.state != .unspecified
    draft = StoredOrganization(
      id: id, externalID: externalID ?? "", fields,
      state: request.state == .unspecified ? .active : request.state, author: author,
      created: now)
  }

  /// Returns the organization with its parent, as it is stored.
  ///
  /// A root must be the first organization, or come from an administrator of the whole tree; any
  /// other one needs a parent in the caller's subtree. An administrator of a subtree imports
  /// organizations that another administrator has to approve, like those that they create.
  ///
  /// - Throws: ``MembersError/parentNotFound``, ``CommonFailure/outOfScope``.
  func wanted(
    scope: StaffScope, parent: StoredOrganization?, isStarted: Bool
  ) throws -> StoredOrganization {
    guard !parentExternalID.isEmpty else {
      guard !isStarted || scope.isWholeTree else { throw CommonFailure.outOfScope }
      return draft
    }
    guard let parent else { throw MembersError.parentNotFound }
    guard scope.holds(parent.path) else { throw CommonFailure.outOfScope }
    var wanted = draft
    wanted.parentID = parent.id
    if !scope.isWholeTree, wanted.state != .preparing {
      guard !hasState else { throw CommonFailure.outOfScope }
      wanted.state = .preparing
    }
    return wanted
  }

  /// Returns a new organization in its place in the tree.
  ///
  /// - Throws: ``CommonFailure/invalidFields(_:)`` for a region that is not in force, and what
  ///   ``StoredOrganization/placed(below:field:)`` throws.
  func placed(
    _ wanted: StoredOrganization, below parent: StoredOrganization?
  ) throws -> StoredOrganization {
    if let unknownRegion { throw CommonFailure.invalidFields([unknownRegion]) }
    guard let parent, wanted.parentID != nil else {
      var root = wanted
      root.path = wanted.id
      return root
    }
    return try wanted.placed(below: parent, field: "region_code")
  }
}

extension ImportOrganizationsRequest {
  /// The row's fields as an organization.
  fileprivate var organization: Organization {
    var organization = Organization()
    organization.displayName = displayName
    organization.kind = kind
    organization.level = level
    organization.regionCode = regionCode
    organization.groups = groups
    organization.creditCode = creditCode
    organization.employerCreditCodes = employerCreditCodes
    organization.takesIndividuals = takesIndividuals
    organization.industryGroup = industryGroup
    organization.openedDate = openedDate
    return organization
  }
}
