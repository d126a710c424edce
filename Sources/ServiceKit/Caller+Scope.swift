import YijiaTypeV1

extension Caller {
  /// The part of the organization tree in which a caller may act.
  public enum Scope: Sendable, Hashable {
    /// Every organization.
    case wholeTree
    /// The identifier of the subtree's root.
    case subtree(String)
    /// No organization.
    case nothing
  }

  /// The scope: for staff, the subtree of their organization. An administrator without an
  /// organization has the whole tree, which makes the import of the first tree possible. Any other
  /// caller without an organization has no scope, and so have callers who are not staff.
  public var scope: Scope {
    guard kind == .staff else { return .nothing }
    if !organization.isEmpty { return .subtree(organization) }
    return staffRole == .administrator ? .wholeTree : .nothing
  }
}
