import MembersV1

/// The state machine of a transfer (SPEC §3 and §11). Pure.
///
/// It is escalated one level before it expires: the level above the receiver has the same number of
/// days again.
struct TransferProgress: Sendable, Hashable {
  enum Input: Sendable, CaseIterable {
    /// The receiver takes the member.
    case accept
    case decline
    /// The member withdraws or left, or the receiver was dissolved.
    case cancel
    /// The receiver did not decide in time: the level above decides.
    case escalate
    /// The level above did not decide in time either.
    case expire
    /// The merge that cancelled it is undone.
    case restore
  }

  private(set) var state: TransferState
  /// The number of escalations.
  private(set) var level: Int
  /// The last day before the escalation, in days since 1970-01-01 in China.
  let dueDay: Int
  /// The last day for accepting it, in days since 1970-01-01 in China.
  let expiryDay: Int

  init(state: TransferState = .requested, level: Int = 0, dueDay: Int, expiryDay: Int) {
    (self.state, self.level, self.dueDay, self.expiryDay) = (state, level, dueDay, expiryDay)
  }

  /// Returns the input due on a day; `nil` if there is none.
  func due(on day: Int) -> Input? {
    guard state == .requested else { return nil }
    if level == 0 { return day > dueDay ? .escalate : nil }
    return day > expiryDay ? .expire : nil
  }

  /// - Parameter day: The current day in China.
  /// - Throws: ``MembersError/transferExpired`` for an acceptance after the last day;
  ///   ``MembersError/transferState`` if it has ended, or if the escalation or expiry is not due.
  mutating func apply(_ input: Input, on day: Int) throws(MembersError) {
    guard state == (input == .restore ? .cancelled : .requested) else { throw .transferState }
    switch input {
    case .restore: state = .requested
    case .accept:
      guard day <= expiryDay else { throw .transferExpired }
      state = .completed
    case .decline: state = .declined
    case .cancel: state = .cancelled
    case .escalate, .expire:
      guard due(on: day) == input else { throw .transferState }
      if input == .escalate { level += 1 } else { state = .expired }
    }
  }
}
