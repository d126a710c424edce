import MembersV1

/// How far a transfer is (SPEC §3 and §11): a pure value.
///
/// It goes one level up before it expires: who is above the receiver has as many days again.
struct TransferProgress: Sendable, Hashable {
  enum Input: Sendable, CaseIterable {
    /// The receiver takes the member.
    case accept
    case decline
    /// The member withdraws or left, or the receiver was dissolved.
    case cancel
    /// Nobody decided: the level above the receiver sees to it.
    case escalate
    /// Nobody decided there either.
    case expire
  }

  private(set) var state: TransferState
  /// Times that it was escalated.
  private(set) var level: Int
  /// Last day before it is escalated, in days since 1970-01-01 in China.
  let dueDay: Int
  /// Last day to accept it.
  let expiryDay: Int

  init(state: TransferState = .requested, level: Int = 0, dueDay: Int, expiryDay: Int) {
    (self.state, self.level, self.dueDay, self.expiryDay) = (state, level, dueDay, expiryDay)
  }

  /// What the passing of days does to it on a day; nil where nothing is due.
  func due(on day: Int) -> Input? {
    guard state == .requested else { return nil }
    if level == 0 { return day > dueDay ? .escalate : nil }
    return day > expiryDay ? .expire : nil
  }

  /// - Parameter day: Today in China.
  /// - Throws: ``MembersError/transferExpired`` for what comes after the last day;
  ///   ``MembersError/transferState`` where it has ended, or nothing is due.
  mutating func apply(_ input: Input, on day: Int) throws(MembersError) {
    guard state == .requested else { throw .transferState }
    switch input {
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
