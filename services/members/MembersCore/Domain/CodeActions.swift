import MembersV1
import ServiceKit
import YijiaTypeV1

/// What whoever scanned an organization's code may do with it: one code does all (一码通办). Pure.
struct CodeActions: Sendable, Hashable {
  /// Who scans, as far as it matters.
  enum Scanner: Sendable, Hashable {
    /// A partner, or staff who may enroll.
    case enrolling
    /// Staff who only look.
    case looking
    /// A person with a membership in some state, at the scanned organization or elsewhere.
    case member(MembershipState, isHere: Bool)
  }

  /// - Parameters:
  ///   - state: Of the organization.
  ///   - kind: Of the organization.
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
      // A federation of a region has no members of its own, and nobody asks for a pool.
      let takesTransfers = receives && kind != .regionalFederation && kind != .holdingPool
      return takesTransfers && !isHere
        ? [.query, .transferIn, .editOwnData] : [.query, .editOwnData]
    }
  }
}
