/// The organized share of a base, and the number of people missing for a target (SPEC §3, §11).
struct Coverage: Sendable, Hashable {
  /// 100 percent in basis points.
  static let whole: Int64 = 10_000

  /// The number of POOLED and ACTIVE members.
  var members: Int64
  /// The confirmed base; `nil` if there is none.
  var base: Int64?
  /// The target in basis points; `nil` if there is none.
  var target: Int64?

  /// The coverage in basis points, rounded down; 0 without a base. Exceeds 10,000 if the base was
  /// counted too low.
  var basisPoints: Int32 {
    guard let base, base > 0 else { return 0 }
    return Int32(clamping: members.multipliedReportingOverflow(by: Self.whole).partialValue / base)
  }

  /// The number of people missing for the target, rounded up; 0 if it is reached.
  var peopleNeeded: Int64 {
    guard let base, let target else { return 0 }
    return max(0, (base * target + Self.whole - 1) / Self.whole - members)
  }
}
