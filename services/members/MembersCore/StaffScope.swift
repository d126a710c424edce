import MembersV1
import ServiceKit
import Storage

/// A caller's scope (``Caller/scope``) as a path in the organization tree.
struct StaffScope: Sendable, Hashable {
  /// The path of the scope's root; empty for the whole tree, `nil` for no scope.
  let path: String?
  /// The level of the scope's root; not set for the whole tree.
  var level = OrganizationLevel.unspecified

  static let nothing = StaffScope(path: nil)

  var isWholeTree: Bool { path?.isEmpty == true }

  /// Returns whether the scope contains an organization.
  func holds(_ organizationPath: String) -> Bool {
    path.map { organizationPath.hasPrefix($0) } ?? false
  }

  /// Returns whether the caller acts for an organization of a level, or of a higher one.
  func isAtLeast(_ least: OrganizationLevel) -> Bool {
    isWholeTree || (level != .unspecified && level.rawValue <= least.rawValue)
  }

  /// Returns whether the scope contains the organization's parent: decisions about an organization
  /// are made above it.
  func isAbove(_ organization: StoredOrganization) -> Bool {
    isWholeTree || organization.parentPath.map(holds) == true
  }

  /// Returns whether staff may enroll into an organization: one in the scope, or one that a higher
  /// level keeps for everything below it, such as a city's pool for its counties.
  func reaches(_ organization: StoredOrganization) -> Bool {
    if holds(organization.path) { return true }
    guard let path, let above = organization.parentPath else { return false }
    return Self.shared.contains(organization.kind) && path.hasPrefix(above)
  }

  /// The kinds of organizations that are kept for everything below their parent.
  private static let shared: Set<OrganizationKind> = [
    .holdingPool, .industryFederation, .newFormFederation,
  ]

  /// Returns the query of the caller's scope, for the same snapshot as the data to be judged.
  static func query(of caller: Caller) -> Query<StaffScope> {
    switch caller.scope {
    case .wholeTree: .constant(StaffScope(path: ""))
    case .nothing: .constant(.nothing)
    case .subtree(let organization):
      Query<StaffScope?>.first(
        "SELECT path, level FROM organizations WHERE id = ?1", [organization]
      ) { row in
        StaffScope(
          path: try row.text("path"),
          level: OrganizationLevel(rawValue: try row.int32("level")))
      }
      .map { $0 ?? .nothing }
    }
  }
}

/// The paths of one subtree, as a range for index scans.
struct PathRange: Sendable, Hashable {
  let first: String
  /// The exclusive upper bound: of a subtree's paths, which contain no letter after f.
  private(set) var end: String

  init(subtreeOf path: String) { (first, end) = (path, path + "g") }

  /// Returns the part of the range before a path.
  func before(_ path: String) -> PathRange {
    var part = self
    part.end = path
    return part
  }
}
