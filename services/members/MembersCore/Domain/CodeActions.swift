import MembersV1
import ServiceKit
import YijiaTypeV1

/// The actions available to somebody who scanned an organization's code: one code serves all
/// (一码通办). Pure.
struct CodeActions: Sendable, Hashable {
  /// The scanning caller.
  enum Scanner: Sendable, Hashable {
    /// A partner, or staff who may enroll into the organization.
    case enrolling
    /// Staff who may not: with read access only, or with another scope.
    case looking
    /// A person with a membership in some state, or UNSPECIFIED for none, which the scanned
    /// organization or another one manages, and with or without an open transfer.
    case member(MembershipState, isHere: Bool = false, isMoving: Bool = false)
  }

  /// Returns the allowed actions.
  ///
  /// - Parameters:
  ///   - state: The organization's state.
  ///   - kind: The organization's kind.
  static func allowed(
    to scanner: Scanner, state: OrganizationState, kind: OrganizationKind
  ) -> [CodeAction] {
    let receives = state == .active
    switch scanner {
    case .looking: return [.query]
    case .enrolling: return receives ? [.query, .join] : [.query]
    case .member(.unspecified, _, _): return receives ? [.query, .join] : [.query]
    case .member(let membership, let isHere, let isMoving):
      guard !membership.isClosed else { return [.query] }
      guard membership.isLive else {
        return receives ? [.query, .join, .editOwnData] : [.query, .editOwnData]
      }
      // A regional federation has no members of its own, and nobody requests a transfer to a pool.
      let takesTransfers = receives && kind != .regionalFederation && kind != .holdingPool
      // A retained member is restored before a transfer.
      return takesTransfers && !isHere && !isMoving && membership != .retained
        ? [.query, .transferIn, .editOwnData] : [.query, .editOwnData]
    }
  }
}
