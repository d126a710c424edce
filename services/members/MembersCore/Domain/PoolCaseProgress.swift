import MembersV1

/// The state machine of a holding pool case (SPEC §3 and §11). Pure.
///
/// The due day belongs to the case: assigning and returning do not change it, only an escalation
/// sets a new one. The case ends with a confirmation, or with the membership in the pool.
struct PoolCaseProgress: Sendable, Hashable {
  enum Input: Sendable, CaseIterable {
    /// A union is named as the receiver.
    case assign
    /// The union takes the member.
    case confirm
    /// The union or the custodian returns it to waiting.
    case giveBack
    /// The union was dissolved before it took the member.
    case loseReceiver
    /// It is overdue and goes to the level above.
    case escalate
    /// The member left, or moved to a union by other means.
    case close
  }

  private(set) var state: PoolCaseState
  /// The number of escalations.
  private(set) var level: Int
  /// The number of returns.
  private(set) var returns: Int
  /// The last day for ending the case, in days since 1970-01-01 in China.
  private(set) var dueDay: Int

  init(state: PoolCaseState = .waiting, level: Int = 0, returns: Int = 0, dueDay: Int) {
    (self.state, self.level, self.returns, self.dueDay) = (state, level, returns, dueDay)
  }

  var isOpen: Bool { state == .waiting || state == .assigned }

  func isOverdue(on day: Int) -> Bool { isOpen && day > dueDay }

  /// - Parameters:
  ///   - day: The current day in China.
  ///   - days: The number of days that the next level has after an escalation.
  /// - Throws: ``MembersError/poolCaseState``.
  mutating func apply(_ input: Input, on day: Int, days: Int) throws(MembersError) {
    switch (input, state) {
    case (.assign, .waiting): state = .assigned
    case (.confirm, .assigned): state = .confirmed
    case (.giveBack, .assigned):
      state = .waiting
      returns += 1
    case (.loseReceiver, .assigned): state = .waiting
    case (.escalate, _) where isOverdue(on: day):
      level += 1
      dueDay = day + days
    case (.close, _) where isOpen: state = .closed
    default: throw .poolCaseState
    }
  }
}
