import ServiceKit

/// A vehicle license plate (GA 36): `冀C12345`, or eight characters for new-energy vehicles.
struct VehiclePlate: Sendable, Hashable {
  private static let provinces = Set("京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新")
  /// The last characters of special plates: trailer, driving school, police, Hong Kong, Macao.
  private static let endings = Set("挂学警港澳")
  private static let characterCounts = 7...8

  /// The normalized plate: upper-case letters, without blanks and dots.
  let text: String

  /// - Throws: `INVALID_PLATE`, `REQUIRED`.
  init(checking raw: String, field: String) throws(FieldFailure) {
    let normal = Normalization.text(raw)
    guard !normal.isEmpty else { throw .required(field) }
    guard normal.utf8.count <= 64 else { throw .invalidPlate(field) }
    let plate = Normalization.withoutSeparators(normal).filter { $0 != "·" && $0 != "•" }
      .uppercased()
    let characters = Array(plate)
    guard Self.characterCounts.contains(characters.count),
      Self.provinces.contains(characters[0]), Self.isLetter(characters[1]),
      characters[2..<(characters.count - 1)].allSatisfy({ Self.isLetterOrDigit($0) }),
      Self.isLetterOrDigit(characters[characters.count - 1])
        || Self.endings.contains(characters[characters.count - 1])
    else { throw .invalidPlate(field) }
    text = plate
  }

  /// Returns whether a character is a letter of plates, which exclude I and O.
  private static func isLetter(_ character: Character) -> Bool {
    character >= "A" && character <= "Z" && character.isASCII && character != "I"
      && character != "O"
  }

  private static func isLetterOrDigit(_ character: Character) -> Bool {
    character.isASCII && (isLetter(character) || character >= "0" && character <= "9")
  }
}
