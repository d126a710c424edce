/// Whether a connection had more than its share of its loop lately. Who had waits for its next turn
/// behind others that had, so that one who asks for little is answered soon beside those who keep
/// the loop busy.
///
/// A pure value; times come with each turn, in nanoseconds of the loop's clock.
struct LoopShare {
  /// One part in so many of the time that passes: at most ten connections of a loop are busy at a
  /// time, beside those that have just come.
  static let parts: Int64 = 10
  /// What who was quiet may take at once, and how far who was not falls behind: a hundred small
  /// calls, after which ten milliseconds of quiet make up for them.
  static let savedMax: Int64 = 1_000_000
  /// What the turns of busy connections may take together before all others are looked at.
  static let roundMax: UInt64 = ReadSize.turnNanosecondsMax

  private var saved: Int64 = 0
  private var countedAt: UInt64 = 0
  /// How long the last turn took: the next is likely to take as long.
  private(set) var turn: UInt64 = 0

  var isBusy: Bool { saved < 0 }

  /// A turn is over that took so long.
  mutating func turned(nanoseconds: UInt64, now: UInt64) {
    let passed = countedAt == 0 ? 0 : now &- countedAt
    countedAt = now
    turn = min(nanoseconds, Self.roundMax)
    let earned = Int64(clamping: passed) / Self.parts
    let kept = min(saved + min(earned, 2 * Self.savedMax), Self.savedMax)
    saved = max(kept - Int64(clamping: min(nanoseconds, UInt64(2 * Self.savedMax))), -Self.savedMax)
  }
}
