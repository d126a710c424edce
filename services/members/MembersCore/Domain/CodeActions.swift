import MembersV1
import ServiceKit
import YijiaTypeV1

/// The actions available to somebody who scanned an organization's code: one code serves all
/// (一码通办). Pure.
struct CodeActions: Sendable, Hashable {
  /// The scanning caller.
  enum Scanner: Sendable, Hashable {
    /// A partner, or staff who may enroll.
    case enrolling
    /// Staff with read access only.
    case looking
    /// A person with a membership in some state, of the scanned organization or another one.
    case member(MembershipState, isHere: Bool)
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
    case .member(let membership, let isHere):
      guard !membership.isClosed else { return [.query] }
      guard membership.isLive else {
        return receives ? [.query, .join, .editOwnData] : [.query, .editOwnData]
      }
      // A regional federation has no members of its own, and nobody requests a transfer to a pool.
      let takesTransfers = receives && kind != .regionalFederation && kind != .holdingPool
      return takesTransfers && !isHere
        ? [.query, .transferIn, .editOwnData] : [.query, .editOwnData]
    }
  }
}
