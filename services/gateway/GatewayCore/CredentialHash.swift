import Crypto

/// SHA-256 of a key or token, which is stored and looked up instead of the secret.
///
/// The secrets hold 256 random bits. The timing of a look-up by hash tells an attacker nothing:
/// without inverting SHA-256 nobody can choose a hash's first bytes.
struct CredentialHash: Sendable, Hashable {
  /// Longer secrets are refused without hashing: a key has some seventy characters.
  static let secretBytesMax = 256

  let bytes: [UInt8]

  /// Hashes a secret as received; nil where it is empty or longer than `bytesMax`.
  init?(of secret: [UInt8], bytesMax: Int = Self.secretBytesMax) {
    guard !secret.isEmpty, secret.count <= bytesMax else { return nil }
    bytes = Array(SHA256.hash(data: secret))
  }

  /// Hashes data that is not secret.
  init(sha256Of data: [UInt8]) { bytes = Array(SHA256.hash(data: data)) }

  /// Wraps a hash; nil unless it has 32 bytes.
  init?(bytes: [UInt8]) {
    guard bytes.count == SHA256.byteCount else { return nil }
    self.bytes = bytes
  }

  /// Parses a hash of the configuration; nil unless it is 64 lower-case hex digits.
  init?(hex: String) {
    let digits = Array(hex.utf8)
    guard digits.count == 2 * SHA256.byteCount else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(SHA256.byteCount)
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = Self.value(digits[index]), let low = Self.value(digits[index + 1]) else {
        return nil
      }
      bytes.append(high << 4 | low)
    }
    self.bytes = bytes
  }

  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
