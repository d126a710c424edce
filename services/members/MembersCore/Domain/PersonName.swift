import ServiceKit

/// A person's name: Han characters, including rare ones, with `·` between its parts.
struct PersonName: Sendable, Hashable {
  static let characters = 2...50
  private static let middleDot: Unicode.Scalar = "\u{B7}"

  /// The normalized name.
  let text: String

  /// - Throws: `INVALID_NAME`, `REQUIRED`.
  init(checking raw: String, field: String) throws(FieldFailure) {
    let normal = Normalization.text(raw)
    guard !normal.isEmpty else { throw .required(field) }
    guard normal.utf8.count <= Normalization.bytesMax else {
      throw .invalidPersonName(field, Texts.length)
    }
    if normal.unicodeScalars.allSatisfy(Self.isHan) {
      guard Self.characters.contains(normal.unicodeScalars.count) else {
        throw .invalidPersonName(field, Texts.length)
      }
      text = normal
      return
    }
    let scalars = normal.unicodeScalars.map { Self.isMiddleDot($0) ? Self.middleDot : $0 }
    guard scalars.allSatisfy({ $0 == Self.middleDot || Self.isHan($0) }) else {
      throw .invalidPersonName(field, Texts.characters)
    }
    guard Self.characters.contains(scalars.count) else {
      throw .invalidPersonName(field, Texts.length)
    }
    let parts = scalars.split(separator: Self.middleDot, omittingEmptySubsequences: false)
    guard parts.allSatisfy({ !$0.isEmpty }) else {
      throw .invalidPersonName(field, Texts.dots)
    }
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    text = String(view)
  }

  /// Returns whether a scalar is one of the dots used between the parts of a name.
  private static func isMiddleDot(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    // Middle dot, Greek ano teleia, runic, bullet, hyphenation point, bullet and dot operators,
    // word separator, katakana middle dots of both widths.
    case 0xB7, 0x387, 0x16EB, 0x2022, 0x2027, 0x2219, 0x22C5, 0x2E31, 0x30FB, 0xFF65: true
    default: false
    }
  }

  /// Returns whether a scalar is a Han character: the blocks of unified ideographs up to extension
  /// J, so that the standard library's Unicode version does not limit names, and 〇, which names
  /// use.
  private static func isHan(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x3007, 0x3400...0x4DBF, 0x4E00...0x9FFF: true
    // Extensions B; C to F; I; G and H; J.
    case 0x20000...0x2A6DF, 0x2A700...0x2EBEF, 0x2EBF0...0x2EE5F, 0x30000...0x323AF,
      0x323B0...0x3347F:
      true
    // The twelve unified ideographs in the block of compatibility ideographs; NFC replaces the
    // others.
    case 0xFA0E, 0xFA0F, 0xFA11, 0xFA13, 0xFA14, 0xFA1F, 0xFA21, 0xFA23, 0xFA24, 0xFA27...0xFA29:
      true
    default: false
    }
  }

  private enum Texts {
    static let characters = LocalizedText(
      zh: "姓名只能用汉字，少数民族姓名各部分之间用“·”。",
      en: "A name consists of Han characters, with · between its parts.")
    static let length = LocalizedText(
      zh: "姓名应为 2 至 50 个字。", en: "A name has 2 to 50 characters.")
    static let dots = LocalizedText(
      zh: "姓名中的“·”应在两部分之间，不能在首尾或相连。",
      en: "The · in a name stands between two parts.")
  }
}
