import MembersV1
import ServiceKit

/// How far a stale record is in a round: STALE → CONFIRMED | UNREACHABLE, and who was not reached
/// may be confirmed yet. Pure.
struct RefreshProgress: Sendable, Hashable {
  enum Input: Sendable, Hashable, CaseIterable {
    case confirm
    case notReached
  }

  private(set) var state: RefreshState

  init(_ state: RefreshState = .stale) { self.state = state }

  /// - Throws: ``MembersError/refreshState``; nothing changes then.
  mutating func apply(_ input: Input) throws(MembersError) {
    switch (state, input) {
    case (.stale, .confirm), (.unreachable, .confirm): state = .confirmed
    case (.stale, .notReached), (.unreachable, .notReached): state = .unreachable
    default: throw .refreshState
    }
  }
}

/// When a record is stale: not confirmed for three months (Shenyang's quarterly refresh).
enum Freshness {
  static let months = 3

  /// The first day whose confirmations still count today; in a month without the day, its last.
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
