import ServiceKit

/// The identity of a unit, i.e. an employer: its credit code, or else its normalized name (SPEC
/// §11). A name is unique only within a township, which callers add.
struct UnitIdentity: Sendable, Hashable {
  static let nameCharactersMax = 100

  /// The normalized name; may be empty if there is a credit code.
  let name: String
  /// The normalized credit code; empty if it is missing or invalid.
  let creditCode: String

  /// A key that differs between units.
  var key: String { creditCode.isEmpty ? "name " + name : "code " + creditCode }

  /// Returns `nil` if both are missing.
  init?(name: String, creditCode: String) {
    guard !name.isEmpty || !creditCode.isEmpty else { return nil }
    let code = try? CreditCode(checking: creditCode, field: "credit_code").text
    // Differences in blanks and in the width of brackets are ignored.
    let plain = Normalization.text(name).filter { !$0.isWhitespace }.uppercased()
      .replacing("\u{FF08}", with: "(").replacing("\u{FF09}", with: ")")
    guard plain.count <= Self.nameCharactersMax, code != nil || !plain.isEmpty else { return nil }
    self.name = plain
    self.creditCode = code ?? ""
  }
}
