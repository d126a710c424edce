import YijiaTypeV1

extension Caller {
  /// The part of the organizations' tree that a caller may act in.
  public enum Scope: Sendable, Hashable {
    case wholeTree
    /// Identifier of the organization at the top.
    case subtree(String)
    case nothing
  }

  /// Of staff the subtree of their organization. Staff without one have nothing, except an
  /// administrator, who has the whole tree: so the first tree gets in. Other kinds of caller have
  /// nothing.
  public var scope: Scope {
    guard kind == .staff else { return .nothing }
    if !organization.isEmpty { return .subtree(organization) }
    return staffRole == .administrator ? .wholeTree : .nothing
  }
}
