import MembersV1

/// The life of an organization: PREPARING → ACTIVE ⇄ SUSPENDED, and DISSOLVED from each of them for
/// good. Pure: who decides, who its members are and what stands below it are judged elsewhere.
struct OrganizationLife: Sendable, Hashable {
  /// What can happen to an organization.
  enum Input: Sendable, Hashable, CaseIterable {
    /// Another administrator than its founder approves it.
    case approve
    /// It receives nobody for now.
    case suspend
    /// It receives members again.
    case resume
    /// It ends.
    case dissolve
    /// Something is said or noted of it anew, it moves, or another one comes to stand below it.
    case change
  }

  /// What follows from it.
  enum Action: Sendable, Hashable {
    /// Today is its first day.
    case open
    /// Today is its last day: nobody may be its member any more, now or ever.
    case close
    /// Nothing but the new state.
    case none
  }

  /// Why not.
  enum Refusal: Error, Sendable, Hashable {
    /// It was dissolved, for good.
    case dissolved
    /// The input does not fit the state.
    case state
  }

  private(set) var state: OrganizationState

  init(_ state: OrganizationState) { self.state = state }

  /// - Throws: ``Refusal``; the state stays as it is.
  mutating func apply(_ input: Input) throws(Refusal) -> Action {
    switch (state, input) {
    case (.dissolved, _): throw .dissolved
    case (.preparing, .approve):
      state = .active
      return .open
    case (.active, .suspend):
      state = .suspended
      return .none
    case (.suspended, .resume):
      state = .active
      return .none
    case (.preparing, .dissolve), (.active, .dissolve), (.suspended, .dissolve):
      state = .dissolved
      return .close
    case (.preparing, .change), (.active, .change), (.suspended, .change):
      return .none
    case (.preparing, .suspend), (.preparing, .resume), (.active, .approve), (.active, .resume),
      (.suspended, .approve), (.suspended, .suspend), (.unspecified, _), (.unrecognized, _):
      throw .state
    }
  }
}

extension OrganizationKind {
  /// Whether an organization of this kind may stand directly below one of another: a group has
  /// nothing below it, a branch only branches and groups, a pool nothing.
  func mayStand(below above: OrganizationKind) -> Bool {
    switch above {
    case .group, .holdingPool: false
    case .branch: self == .branch || self == .group
    default: true
    }
  }

  /// Whether it may cover unions without their members being its own (二次覆盖).
  var mayCover: Bool { self == .industryFederation || self == .newFormFederation }

  /// Whether a federation may cover it.
  var mayBeCovered: Bool { self == .enterpriseUnion || self == .jointUnion }
}
