import MembersV1
import ServiceKit
import Storage
import YijiaTypeV1

/// The part of the tree that a staff caller may act in: the subtree of their organization.
///
/// A caller without an organization has no scope, except an administrator, who has the whole tree:
/// so the first tree gets in. Other kinds of caller have none.
struct StaffScope: Sendable, Hashable {
  /// Path of the scope's root; empty for the whole tree, nil for nothing.
  let path: String?

  static let nothing = StaffScope(path: nil)

  var isWholeTree: Bool { path?.isEmpty == true }

  /// Whether an organization is within it.
  func holds(_ organizationPath: String) -> Bool {
    path.map { organizationPath.hasPrefix($0) } ?? false
  }

  /// Whether it is a level above an organization: who decides about it stands above it.
  func isAbove(_ organization: StoredOrganization) -> Bool {
    isWholeTree || organization.parentPath.map(holds) == true
  }

  /// Whether staff may enroll into an organization: within the scope, or into what a level above
  /// keeps for all below it, such as a city's pool for its counties.
  func reaches(_ organization: StoredOrganization) -> Bool {
    if holds(organization.path) { return true }
    guard let path, let above = organization.parentPath else { return false }
    return Self.shared.contains(organization.kind) && path.hasPrefix(above)
  }

  private static let shared: Set<OrganizationKind> = [
    .holdingPool, .industryFederation, .newFormFederation,
  ]

  /// The caller's scope, read with what it judges.
  static func query(of caller: Caller) -> Query<StaffScope> {
    let whole =
      caller.kind == .staff && caller.organization.isEmpty && caller.staffRole == .administrator
    let isStaff = caller.kind == .staff
    return Query<String?>.first(
      "SELECT path FROM organizations WHERE id = ?1", [caller.organization]
    ) { row in try row.text("path") }
    .map { path in
      whole ? StaffScope(path: "") : isStaff ? StaffScope(path: path) : .nothing
    }
  }
}

/// The paths of one subtree, as a range that an index serves.
struct PathRange: Sendable, Hashable {
  let first: String
  /// Above every path of the subtree: no path holds a letter after f.
  var end: String { first + "g" }

  init(subtreeOf path: String) { first = path }
}
