import ServiceKit

/// A member number, which people read out: ten random digits and a check digit by Damm's algorithm,
/// which detects all single-digit errors and all transpositions of adjacent digits (H. Michael
/// Damm, "Total anti-symmetrische Quasigruppen", 2004).
///
/// 300 million members use the numbers so sparsely that a guess rarely succeeds. The first digit is
/// 2 to 9, so that a number is never mistaken for a mobile number.
struct MemberNumber: Sendable, Hashable {
  static let digitCount = 11
  static let span: UInt64 = 8_000_000_000

  /// The number of candidates per write: all are taken once in 10^11 writes.
  private static let choiceCount = 8

  /// How many of them are looked up at first; the others only if these are taken, which happens
  /// once in 700 with 300 million members.
  static let askedFirst = 2

  /// The canonical form: eleven digits.
  let text: String

  /// - Parameter value: Reduced modulo ``span``.
  init(value: UInt64) {
    let digits = String(2_000_000_000 + value % Self.span)
    text = digits + String(Self.checkDigit(of: digits.utf8))
  }

  /// Returns candidate numbers for a new member; the store determines which of them are taken.
  static func some(from ids: IDSource) -> [String] {
    // An identifier has 32 hex digits. 64 bits map to 8e9 numbers with a bias below one in two
    // billion.
    (0..<choiceCount / 2).flatMap { _ in
      let digits = ids.next().utf8
      return [digits.prefix(16), digits.suffix(16)].map { half in
        MemberNumber(value: half.reduce(0) { $0 << 4 | Self.value(ofHex: $1) }).text
      }
    }
  }

  private static func value(ofHex digit: UInt8) -> UInt64 {
    UInt64(digit.isASCIIDigit ? digit - UInt8(ascii: "0") : digit - UInt8(ascii: "a") + 10)
  }

  /// Parses a spoken or typed number, ignoring blanks and dashes; `nil` if it is invalid.
  init?(_ spoken: String) {
    guard spoken.utf8.count <= 64 else { return nil }
    let digits = Normalization.withoutSeparators(Normalization.text(spoken))
    guard digits.utf8.count == Self.digitCount, digits.isASCIIDigits,
      digits.utf8.first.map({ $0 >= UInt8(ascii: "2") }) == true,
      Self.checkDigit(of: digits.utf8) == 0
    else { return nil }
    text = digits
  }

  /// Returns the digit that makes the whole number's check yield 0.
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
