import ServiceKit

/// What makes two people's employers one unit: the credit code, else the normalized name (SPEC §11;
/// within a township, which the one who counts knows).
struct UnitIdentity: Sendable, Hashable {
  static let nameCharactersMax = 100

  /// Normalized; may be empty where there is a credit code.
  let name: String
  /// Normalized; empty where there is none, or a wrong one.
  let creditCode: String

  /// Never the same for two units.
  var key: String { creditCode.isEmpty ? "name " + name : "code " + creditCode }

  /// nil where there is neither.
  init?(name: String, creditCode: String) {
    guard !name.isEmpty || !creditCode.isEmpty else { return nil }
    let code = try? CreditCode(checking: creditCode, field: "credit_code").text
    // Blanks and brackets of either width are no difference between firms.
    let plain = Normalization.text(name).filter { !$0.isWhitespace }.uppercased()
      .replacing("\u{FF08}", with: "(").replacing("\u{FF09}", with: ")")
    guard plain.count <= Self.nameCharactersMax, code != nil || !plain.isEmpty else { return nil }
    self.name = plain
    self.creditCode = code ?? ""
  }
}
