import ServiceKit

/// A unified social credit code (GB 32100): 18 characters of an alphabet without I, O, S, V and Z.
struct CreditCode: Sendable, Hashable {
  /// The registration authority, encoded in the first character.
  enum Kind: Sendable, Hashable {
    /// 8: a trade union.
    case union
    /// 9: an enterprise.
    case enterprise
    /// Any other: government bodies, public institutions, associations and others.
    case other
  }

  static let characterCount = 18
  private static let alphabet = Array("0123456789ABCDEFGHJKLMNPQRTUWXY".utf8)
  private static let weights = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28]

  /// The normalized code.
  let text: String

  var kind: Kind {
    switch text.utf8.first {
    case UInt8(ascii: "8"): .union
    case UInt8(ascii: "9"): .enterprise
    default: .other
    }
  }

  /// - Throws: `INVALID_CREDIT_CODE`, `REQUIRED`.
  init(checking raw: String, field: String) throws(FieldFailure) {
    let text = Normalization.text(raw)
    guard !text.isEmpty else { throw .required(field) }
    let characters = text.utf8.map { character in
      character >= UInt8(ascii: "a") && character <= UInt8(ascii: "z") ? character - 32 : character
    }
    guard characters.count == Self.characterCount,
      characters.allSatisfy({ Self.alphabet.contains($0) })
    else { throw .invalidCreditCode(field, Texts.form) }
    guard characters[17] == Self.checkCharacter(of: characters.prefix(17)) else {
      throw .invalidCreditCode(field, Texts.check)
    }
    self.text = String(decoding: characters, as: UTF8.self)
  }

  /// Returns the check character of 17 characters; `nil` if they are not of the alphabet.
  static func checkCharacter(of characters: some Collection<UInt8>) -> UInt8? {
    guard characters.count == weights.count else { return nil }
    var sum = 0
    for (character, weight) in zip(characters, weights) {
      guard let value = alphabet.firstIndex(of: character) else { return nil }
      sum += value * weight
    }
    return alphabet[(31 - sum % 31) % 31]
  }

  enum Texts {
    static let form = LocalizedText(
      zh: "统一社会信用代码应为 18 位数字或大写字母（不含 I、O、S、V、Z）。",
      en: "A unified social credit code has 18 digits or letters other than I, O, S, V, Z.")
    static let check = LocalizedText(
      zh: "统一社会信用代码校验码不符，请核对。",
      en: "The check character does not fit: look again.")
    static let notUnion = LocalizedText(
      zh: "工会自身的统一社会信用代码应以 8 开头。",
      en: "A union's own credit code starts with 8.")
    static let union = LocalizedText(
      zh: "覆盖单位的统一社会信用代码不应是工会代码（8 开头）。",
      en: "An employer's credit code does not start with 8.")
  }
}
