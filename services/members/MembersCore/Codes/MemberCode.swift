import Crypto

/// A member's own code, shown to kiosks: `YJM-` and 128 random bits in Crockford's base 32.
///
/// It is stored sealed under the person's key and looked up by the SHA-256 of its text, which needs
/// no key, because the code is random.
struct MemberCode: Sendable, Hashable {
  private static let prefix = "YJM-"

  /// The canonical form, which is hashed.
  let text: String

  /// - Parameter random: 32 hex digits.
  init(random: String) { text = Self.prefix + Base32.text(Base32.bytes(ofHex: random)) }

  /// Parses a scanned text in either case; `nil` if it is not a member code.
  init?(_ scanned: String) {
    guard scanned.utf8.count == Self.prefix.utf8.count + Base32.characterCount else { return nil }
    let body = scanned.uppercased()
    guard body.hasPrefix(Self.prefix), let bytes = Base32.bytes(of: body.dropFirst(4)) else {
      return nil
    }
    text = Self.prefix + Base32.text(bytes)
  }

  var sha256: [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }
}
