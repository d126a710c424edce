import ServiceKit

/// A mobile number of mainland China, stored as E.164.
struct PhoneNumber: Sendable, Hashable {
  private static let country = "+86"

  /// The eleven digits.
  let national: String

  /// The number in E.164, e.g. `+8613800138000`, for hashing and sealing.
  var text: String { Self.country + national }

  /// - Throws: `INVALID_PHONE`, `REQUIRED`.
  init(checking raw: String, field: String) throws(FieldFailure) {
    let text = Normalization.text(raw)
    guard !text.isEmpty else { throw .required(field) }
    let digits = Self.withoutCountry(Normalization.withoutSeparators(text))
    let bytes = Array(digits.utf8)
    // ^1[3-9]\d{9}$ on the whole text, ASCII digits only.
    guard bytes.count == 11, bytes.allSatisfy(\.isASCIIDigit), bytes[0] == UInt8(ascii: "1"),
      bytes[1] >= UInt8(ascii: "3")
    else { throw .invalidPhone(field) }
    national = digits
  }

  /// Removes one country prefix. No mobile number itself starts with 86.
  private static func withoutCountry(_ text: String) -> String {
    for prefix in [country, "\u{FF0B}86", "86"] where text.hasPrefix(prefix) {
      return String(text.dropFirst(prefix.count))
    }
    return text
  }
}
