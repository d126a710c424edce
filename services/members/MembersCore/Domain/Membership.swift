import MembersV1

/// The state machine of a membership (SPEC §3 and §11). Pure.
///
/// EXPELLED and DECEASED are final; LEFT may join again; undoing a merge restores the former state.
struct Membership: Sendable, Hashable {
  /// The inputs of the state machine.
  enum Input: Sendable, CaseIterable {
    /// Joins a union.
    case join
    /// Joins and is held in a pool until a union is found.
    case joinPool
    /// A union confirms a pooled member.
    case place
    /// The employer's union is dissolved: returns to the pool.
    case pool
    /// Another union takes the member over.
    case transfer
    case retain
    case restore
    /// Is restored in a pool, which took the member over while retained.
    case restoreToPool
    case leave
    case expel
    case die
    /// Is merged as another record of a person who already has one.
    case merge
    case undoMerge
    /// Another attribute of the member changes.
    case update
    /// The personal data are erased; a live membership must end first.
    case erase
  }

  /// The state; `unspecified` if there is no membership yet.
  private(set) var state: MembershipState
  /// The state before a merge; `unspecified` if not merged.
  private(set) var former: MembershipState

  init(_ state: MembershipState, former: MembershipState = .unspecified) {
    self.state = state
    self.former = former
  }

  /// - Returns: The action for the membership log.
  /// - Throws: ``MembersError/membershipClosed`` if an expelled, deceased or merged person would
  ///   join; ``MembersError/membershipState`` for any other input that the state does not allow.
  mutating func apply(_ input: Input) throws(MembersError) -> MembershipLogEntry.Action {
    switch (input, state) {
    case (.join, .unspecified): go(to: .active, .joined)
    case (.joinPool, .unspecified): go(to: .pooled, .joined)
    case (.join, .left): go(to: .active, .revived)
    case (.joinPool, .left): go(to: .pooled, .revived)
    case (.join, .expelled), (.join, .deceased), (.join, .merged),
      (.joinPool, .expelled), (.joinPool, .deceased), (.joinPool, .merged):
      throw .membershipClosed
    case (.place, .pooled): go(to: .active, .placed)
    case (.pool, .active): go(to: .pooled, .pooled)
    case (.transfer, .pooled), (.transfer, .active): go(to: .active, .transferred)
    case (.retain, .active): go(to: .retained, .retained)
    case (.restore, .retained): go(to: .active, .restored)
    case (.restoreToPool, .retained): go(to: .pooled, .restored)
    case (.undoMerge, .merged): unmerge()
    case (.leave, _) where state.isLive: go(to: .left, .left)
    case (.expel, _) where state.isLive: go(to: .expelled, .expelled)
    case (.die, _) where state.isLive: go(to: .deceased, .died)
    case (.merge, _) where state.isLive: merge()
    case (.update, _) where state.isLive: .updated
    case (.erase, _) where !state.isLive && state != .unspecified: erase()
    default: throw .membershipState
    }
  }

  private mutating func go(
    to next: MembershipState, _ action: MembershipLogEntry.Action
  ) -> MembershipLogEntry.Action {
    state = next
    return action
  }

  private mutating func merge() -> MembershipLogEntry.Action {
    former = state
    return go(to: .merged, .merged)
  }

  /// Drops the former state, because a merge can't be undone after an erasure.
  private mutating func erase() -> MembershipLogEntry.Action {
    former = .unspecified
    return .erased
  }

  private mutating func unmerge() -> MembershipLogEntry.Action {
    defer { former = .unspecified }
    return go(to: former, .unmerged)
  }
}

extension MembershipState {
  /// The states in which a person is a member.
  static let live: [MembershipState] = [.pooled, .active, .retained]

  var isLive: Bool { Self.live.contains(self) }

  /// Whether a new enrollment can't revive the membership: only LEFT is revived.
  var isClosed: Bool { !isLive && self != .left }
}
