import ServiceKit

/// Normalizes and validates short texts without personal data, e.g. names of organizations.
enum PlainText {
  /// Returns the normalized text.
  ///
  /// - Parameter characters: The allowed number of Unicode scalars.
  /// - Throws: REQUIRED, TOO_SHORT, TOO_LONG, INVALID_CHARACTER.
  static func checked(
    _ raw: String, field: String, characters: ClosedRange<Int>
  ) throws(FieldFailure) -> String {
    let text = Normalization.text(raw)
    // Counts scalars, which have at most four bytes; grapheme clusters have no size limit.
    let count = text.utf8.count > Normalization.bytesMax ? Int.max : text.unicodeScalars.count
    guard count <= characters.upperBound else {
      throw .tooLong(field, charactersMax: characters.upperBound)
    }
    guard count >= characters.lowerBound else {
      throw text.isEmpty ? .required(field) : .tooShort(field, charactersMin: characters.lowerBound)
    }
    guard text.unicodeScalars.allSatisfy({ !isControl($0) }) else { throw .invalidCharacter(field) }
    return text
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: true
    default: false
    }
  }
}

extension FieldFailure {
  fileprivate static func tooShort(_ field: String, charactersMin: Int) -> FieldFailure {
    FieldFailure(
      field: field, reason: "TOO_SHORT",
      text: LocalizedText(
        zh: "至少 \(charactersMin) 个字符。", en: "At least \(charactersMin) characters."))
  }
}

/// The name of the campaign under which an enrollment is counted; may be empty.
enum Campaign {
  static let charactersMax = 64

  static func checked(_ raw: String, field: String) throws(FieldFailure) -> String {
    try PlainText.checked(raw, field: field, characters: 0...charactersMax)
  }
}
