import MembersV1

/// The state machine of an organization: PREPARING → ACTIVE ⇄ SUSPENDED, and DISSOLVED, which is
/// final, from each of them. Pure: callers check permissions, members and child organizations.
struct OrganizationLife: Sendable, Hashable {
  /// The inputs of the state machine.
  enum Input: Sendable, Hashable, CaseIterable {
    /// An administrator other than the founder approves it.
    case approve
    /// It stops receiving members.
    case suspend
    /// It receives members again.
    case resume
    /// It is dissolved.
    case dissolve
    /// Its data change, it is moved, or another organization is added below it.
    case change
  }

  /// The effect of a transition besides the new state.
  enum Action: Sendable, Hashable {
    /// Today is its opening date.
    case open
    /// Today is its closing date: it has no members from now on.
    case close
    /// No further effect.
    case none
  }

  /// The reasons for refusing an input.
  enum Refusal: Error, Sendable, Hashable {
    /// It is dissolved.
    case dissolved
    /// The state does not allow the input.
    case state
  }

  private(set) var state: OrganizationState

  init(_ state: OrganizationState) { self.state = state }

  /// - Throws: ``Refusal``; the state is unchanged then.
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

extension OrganizationLevel {
  /// Returns whether an organization of this level may be directly below one of another: never
  /// below a lower level. The same level is allowed, for pools and federations.
  func mayStand(below above: OrganizationLevel) -> Bool { rawValue >= above.rawValue }
}

extension OrganizationKind {
  /// Returns whether an organization of this kind may be directly below one of another: groups and
  /// pools have none below them, branches only branches and groups.
  func mayStand(below above: OrganizationKind) -> Bool {
    switch above {
    case .group, .holdingPool: false
    case .branch: self == .branch || self == .group
    default: true
    }
  }

  /// Whether it may cover unions whose members are not its own (二次覆盖).
  var mayCover: Bool { self == .industryFederation || self == .newFormFederation }

  /// Whether a federation may cover it.
  var mayBeCovered: Bool { self == .enterpriseUnion || self == .jointUnion }
}
