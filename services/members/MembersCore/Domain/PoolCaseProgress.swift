import MembersV1

/// How far a case of the holding pool is (SPEC §3 and §11): a pure value.
///
/// The due day is the case's own: assigning and returning do not stop the clock, only an escalation
/// sets a new one, and only a confirmation ends the case, or the end of what it was about.
struct PoolCaseProgress: Sendable, Hashable {
  enum Input: Sendable, CaseIterable {
    /// A union is named that is to take the member.
    case assign
    /// The union takes the member.
    case confirm
    /// The union, or the custodian, gives it back to wait again.
    case giveBack
    /// It is overdue: the level above sees to it.
    case escalate
    /// The member left, or moved to a union otherwise.
    case close
  }

  private(set) var state: PoolCaseState
  /// Times that it was escalated.
  private(set) var level: Int
  /// Times that it was returned.
  private(set) var returns: Int
  /// Last day to end it, in days since 1970-01-01 in China.
  private(set) var dueDay: Int

  init(state: PoolCaseState = .waiting, level: Int = 0, returns: Int = 0, dueDay: Int) {
    (self.state, self.level, self.returns, self.dueDay) = (state, level, returns, dueDay)
  }

  var isOpen: Bool { state == .waiting || state == .assigned }

  func isOverdue(on day: Int) -> Bool { isOpen && day > dueDay }

  /// - Parameters:
  ///   - day: Today in China.
  ///   - days: What a level has to end the case, from its escalation on.
  /// - Throws: ``MembersError/poolCaseState``.
  mutating func apply(_ input: Input, on day: Int, days: Int) throws(MembersError) {
    switch (input, state) {
    case (.assign, .waiting): state = .assigned
    case (.confirm, .assigned): state = .confirmed
    case (.giveBack, .assigned):
      state = .waiting
      returns += 1
    case (.escalate, _) where isOverdue(on: day):
      level += 1
      dueDay = day + days
    case (.close, _) where isOpen: state = .closed
    default: throw .poolCaseState
    }
  }
}
