/// How much of a base is organized, and how many people a target is short of (SPEC §3, §11).
struct Coverage: Sendable, Hashable {
  /// Hundredths of a percent in all.
  static let whole: Int64 = 10_000

  /// POOLED and ACTIVE.
  var members: Int64
  /// The confirmed base; nil where there is none.
  var base: Int64?
  /// The target, in hundredths of a percent; nil where there is none.
  var target: Int64?

  /// Hundredths of a percent, rounded down; 0 without a base. A base that was counted too low
  /// gives more than the whole.
  var basisPoints: Int32 {
    guard let base, base > 0 else { return 0 }
    return Int32(clamping: members.multipliedReportingOverflow(by: Self.whole).partialValue / base)
  }

  /// People who are missing for the target, rounded up; 0 where it is reached.
  var peopleNeeded: Int64 {
    guard let base, let target else { return 0 }
    return max(0, (base * target + Self.whole - 1) / Self.whole - members)
  }
}
