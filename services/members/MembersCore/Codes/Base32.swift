/// Encodes 16 bytes as 26 characters of Crockford's base 32
/// (<https://www.crockford.com/base32.html>), without I, L, O and U. Decoding accepts lower case,
/// and O, I and L for 0, 1 and 1.
enum Base32 {
  static let byteCount = 16
  static let characterCount = 26
  private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

  static func text(_ bytes: [UInt8]) -> String {
    precondition(bytes.count == byteCount, "16 bytes")
    var value = bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
    var characters = [UInt8](repeating: 0, count: characterCount)
    for index in characters.indices.reversed() {
      characters[index] = alphabet[Int(value & 31)]
      value >>= 5
    }
    return String(decoding: characters, as: UTF8.self)
  }

  /// Decodes a text; `nil` unless it is 26 characters of the alphabet that encode 128 bits.
  static func bytes(of text: some StringProtocol) -> [UInt8]? {
    let characters = Array(text.utf8)
    guard characters.count == characterCount else { return nil }
    var value = UInt128(0)
    for (index, character) in characters.enumerated() {
      guard let digit = digit(character), index > 0 || digit < 8 else { return nil }
      value = value << 5 | UInt128(digit)
    }
    return (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * (byteCount - 1 - $0))) }
  }

  /// Returns the bytes of an identifier of 32 hex digits.
  static func bytes(ofHex id: String) -> [UInt8] {
    let value = UInt128(id, radix: 16) ?? 0
    return (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * (byteCount - 1 - $0))) }
  }

  /// Returns bytes as lower-case hex digits.
  static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  private static func digit(_ character: UInt8) -> UInt8? {
    let upper =
      character >= UInt8(ascii: "a") && character <= UInt8(ascii: "z") ? character - 32 : character
    switch upper {
    case UInt8(ascii: "O"): return 0
    case UInt8(ascii: "I"), UInt8(ascii: "L"): return 1
    default: return alphabet.firstIndex(of: upper).map(UInt8.init)
    }
  }
}
