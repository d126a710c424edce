import ServiceKit

/// A member's number, which people read out: ten random digits and a check digit after Damm, which
/// finds every wrong digit and every two neighbours changed over
/// (H. Michael Damm, "Total anti-symmetrische Quasigruppen", 2004).
///
/// Ten digits number the nation's 300 million members so thinly that a guess seldom hits. The first
/// is 2 to 9, so that it is never taken for a mobile number.
struct MemberNumber: Sendable, Hashable {
  static let digitCount = 11
  static let span: UInt64 = 8_000_000_000

  /// Numbers that one write may choose from: that all are taken happens once in 10^11.
  private static let choiceCount = 8

  /// The one way to write it: eleven digits.
  let text: String

  /// - Parameter random: 32 hex digits.
  init(random: String) {
    // 64 bits onto 8e9 numbers: the bias is below one in two billion.
    self.init(value: UInt64(random.prefix(16), radix: 16) ?? 0)
  }

  /// - Parameter value: Taken modulo ``span``.
  init(value: UInt64) {
    let digits = String(2_000_000_000 + value % Self.span)
    text = digits + String(Self.checkDigit(of: digits.utf8))
  }

  /// Numbers that a new member may get; which of them are taken, the store knows.
  static func some(from ids: IDSource) -> [String] {
    (0..<choiceCount).map { _ in MemberNumber(random: ids.next()).text }
  }

  /// Reads a number as somebody says or types it, blanks and dashes within; nil where it is none.
  init?(_ spoken: String) {
    guard spoken.utf8.count <= 64 else { return nil }
    let digits = Normalization.withoutSeparators(Normalization.text(spoken))
    guard digits.utf8.count == Self.digitCount, digits.isASCIIDigits,
      digits.utf8.first.map({ $0 >= UInt8(ascii: "2") }) == true,
      Self.checkDigit(of: digits.utf8) == 0
    else { return nil }
    text = digits
  }

  /// `234 5678 9017`: in groups that the ear holds.
  var grouped: String {
    "\(text.prefix(3)) \(text.dropFirst(3).prefix(4)) \(text.suffix(4))"
  }

  /// The digit that makes the whole come out as 0.
  static func checkDigit(of digits: some Sequence<UInt8>) -> Int {
    digits.reduce(0) { table[$0][$1.digitValue] }
  }

  private static let table = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2], [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9], [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8], [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4], [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5], [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
  ]
}
