/// A token bucket of event-loop time: tells whether a connection has recently used more than its
/// fair share. Connections that have are read in turns (`ReadingTurns`), all others whenever they
/// have data, so that light clients keep a low latency beside heavy ones.
///
/// A pure value; times come with each turn, in nanoseconds of the loop's clock.
struct LoopShare {
  /// A connection earns one tenth of the elapsed time.
  static let parts: Int64 = 10
  /// The bucket's bound in nanoseconds, as credit and as debt: about a hundred small calls. Ten
  /// milliseconds of silence repay a full debt.
  static let savedMax: Int64 = 1_000_000
  /// The time in nanoseconds that the turns of busy connections may take together before all other
  /// connections are served.
  static let roundMax: UInt64 = ReadSize.turnNanosecondsMax

  private var saved: Int64 = 0
  private var countedAt: UInt64 = 0
  /// The duration of the last turn in nanoseconds, which is the estimate for the next one.
  private(set) var turn: UInt64 = 0

  var isBusy: Bool { saved < 0 }

  /// Records a turn and its duration.
  mutating func turned(nanoseconds: UInt64, now: UInt64) {
    let passed = countedAt == 0 ? 0 : now &- countedAt
    countedAt = now
    turn = min(nanoseconds, Self.roundMax)
    let earned = Int64(clamping: passed) / Self.parts
    let kept = min(saved + min(earned, 2 * Self.savedMax), Self.savedMax)
    saved = max(kept - Int64(clamping: min(nanoseconds, UInt64(2 * Self.savedMax))), -Self.savedMax)
  }
}
