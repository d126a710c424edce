import Foundation

/// Normalizes external text before validation: Unicode NFC, full-width letters and digits to ASCII,
/// outer spaces removed.
///
/// Spaces are Unicode space separators (category Zs). Line breaks are kept, so that they fail
/// validation.
enum Normalization {
  /// The maximum length in bytes, above that of any field: a longer text is returned unchanged and
  /// fails validation.
  static let bytesMax = 4_096

  static func text(_ raw: String) -> String {
    guard raw.utf8.count <= bytesMax else { return raw }
    if raw.utf8.allSatisfy({ $0 < 0x80 }) { return ascii(raw) }
    if raw.unicodeScalars.allSatisfy(isNormal) { return raw }
    var scalars = Array(raw.precomposedStringWithCanonicalMapping.unicodeScalars)[...]
    while scalars.first.map(isSpace) == true { scalars.removeFirst() }
    while scalars.last.map(isSpace) == true { scalars.removeLast() }
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars.lazy.map(halfWidth))
    return String(text)
  }

  /// Returns whether a text of such scalars only is already normalized. Most texts are, and
  /// composing them costs more than all other checks of a name.
  private static func isNormal(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    // ASCII without the space; CJK ideographs and extension A. None of them decomposes or composes
    // with another of them (Unicode 16: NFC_QC=Yes, and none is a combining mark).
    case 0x21..<0x7F, 0x3400...0x4DBF, 0x4E00...0x9FFF: true
    default: false
    }
  }

  /// Returns the text without spaces and dashes of any width, wherever they are.
  static func withoutSeparators(_ text: String) -> String {
    var kept = String.UnicodeScalarView()
    kept.append(contentsOf: text.unicodeScalars.lazy.filter { !isSpace($0) && !isDash($0) })
    return String(kept)
  }

  static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    scalar == " " || scalar.value >= 0x80 && scalar.properties.generalCategory == .spaceSeparator
  }

  private static func isDash(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    // Hyphen-minus; hyphens and dashes; minus; small and full-width hyphens.
    case 0x2D, 0x2010...0x2015, 0x2212, 0xFE58, 0xFE63, 0xFF0D: true
    default: false
    }
  }

  private static func ascii(_ raw: String) -> String {
    let space = UInt8(ascii: " ")
    if raw.utf8.first != space, raw.utf8.last != space { return raw }
    var bytes = Array(raw.utf8)[...]
    while bytes.first == space { bytes.removeFirst() }
    while bytes.last == space { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func halfWidth(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    switch scalar.value {
    // Full-width 0-9, A-Z, a-z are 0xFEE0 above their ASCII forms.
    case 0xFF10...0xFF19, 0xFF21...0xFF3A, 0xFF41...0xFF5A:
      Unicode.Scalar(scalar.value - 0xFEE0) ?? scalar
    default: scalar
    }
  }
}

extension UInt8 {
  var isASCIIDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }

  /// The value of an ASCII digit; for any other byte, its distance from "0".
  var digitValue: Int { Int(self) - Int(UInt8(ascii: "0")) }
}

extension String {
  /// Whether the text is not empty and consists of ASCII digits only.
  var isASCIIDigits: Bool { !isEmpty && utf8.allSatisfy(\.isASCIIDigit) }
}
