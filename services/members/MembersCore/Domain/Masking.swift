/// Masks personal data, showing only enough to recognize them.
enum Masking {
  /// Returns `110105********0123`.
  static func residentID(_ text: String) -> String {
    guard text.utf8.count == ResidentID.characterCount else { return stars(text.count) }
    return text.prefix(6) + stars(8) + text.suffix(4)
  }

  /// Returns `138****8000`, from E.164 or the eleven digits.
  static func phone(_ text: String) -> String {
    let national = text.hasPrefix("+86") ? text.dropFirst(3) : text[...]
    guard national.utf8.count == 11 else { return stars(national.count) }
    return national.prefix(3) + stars(4) + national.suffix(4)
  }

  /// Returns `张*` or `张**`: the first character; the length of longer names is hidden.
  static func personName(_ text: String) -> String {
    text.prefix(1) + stars(min(2, max(0, text.count - 1)))
  }

  private static func stars(_ count: Int) -> String { String(repeating: "*", count: count) }
}
