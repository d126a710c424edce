import MembersV1
import ServiceKit

/// The state machine of a record in a refresh round: STALE → CONFIRMED | UNREACHABLE; an
/// unreachable person may be confirmed later. What is not confirmed becomes ENDED with the
/// membership, and STALE again if that was a merge and is undone. Pure.
struct RefreshProgress: Sendable, Hashable {
  enum Input: Sendable, Hashable, CaseIterable {
    case confirm
    case notReached
    /// The membership ended.
    case end
    /// The merge that ended the membership is undone.
    case restore
  }

  private(set) var state: RefreshState

  init(_ state: RefreshState = .stale) { self.state = state }

  /// - Throws: ``MembersError/refreshState``; the state is unchanged then.
  mutating func apply(_ input: Input) throws(MembersError) {
    switch (state, input) {
    case (.stale, .confirm), (.unreachable, .confirm), (.ended, .confirm): state = .confirmed
    case (.stale, .notReached), (.unreachable, .notReached): state = .unreachable
    case (.stale, .end), (.unreachable, .end): state = .ended
    case (.ended, .restore): state = .stale
    default: throw .refreshState
    }
  }
}

/// The age at which a record is stale: three months without confirmation (Shenyang's quarterly
/// refresh).
enum Freshness {
  static let months = 3

  /// Returns the first day whose confirmations are still fresh: the same day three months ago, or
  /// the last day of that month if it is shorter.
  static func firstFreshDay(on today: Int) -> Int {
    let date = ChinaDate(daysSinceEpoch: today)
    let month = date.year * 12 + date.month - 1 - months
    for day in stride(from: date.day, through: 1, by: -1) {
      if let found = ChinaDate(year: month / 12, month: month % 12 + 1, day: day) {
        return found.daysSinceEpoch
      }
    }
    return today
  }
}
