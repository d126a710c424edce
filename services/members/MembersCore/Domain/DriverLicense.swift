import ServiceKit

/// The vehicle classes of a driver's license 准驾车型 (Order 162 of the Ministry of Public Security,
/// annex 1), one after the other as the license has them: `A2`, `B2D`.
struct DriverLicense: Sendable, Hashable {
  private static let classes: Set<String> = [
    "A1", "A2", "A3", "B1", "B2", "C1", "C2", "C3", "C4", "C5", "C6", "D", "E", "F", "M", "N", "P",
  ]
  /// The letters of classes that have a digit.
  private static let numbered: Set<Character> = ["A", "B", "C"]
  private static let charactersMax = 16

  /// The normalized classes: upper-case letters and digits only.
  let text: String

  /// - Throws: `INVALID_LICENSE`, `REQUIRED`.
  init(checking raw: String, field: String) throws(FieldFailure) {
    let normal = Normalization.text(raw)
    guard !normal.isEmpty else { throw .required(field) }
    guard normal.utf8.count <= 64 else { throw .invalidLicense(field) }
    let text = Normalization.withoutSeparators(normal).filter { !",，、/".contains($0) }
      .uppercased()
    guard text.count <= Self.charactersMax else { throw .invalidLicense(field) }
    var rest = text[...]
    var found: Set<String> = []
    while let letter = rest.first {
      let name = String(rest.prefix(Self.numbered.contains(letter) ? 2 : 1))
      guard Self.classes.contains(name), found.insert(name).inserted else {
        throw .invalidLicense(field)
      }
      rest = rest.dropFirst(name.count)
    }
    guard !found.isEmpty else { throw .invalidLicense(field) }
    self.text = text
  }
}
