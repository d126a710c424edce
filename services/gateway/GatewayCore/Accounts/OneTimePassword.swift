import Crypto
import Foundation

/// A time-based one-time password (TOTP, RFC 6238, over HOTP, RFC 4226) with SHA-1, the algorithm
/// that authenticator apps support. A pure value.
struct OneTimePassword: Sendable, Hashable {
  static let stepSeconds: Int64 = 30
  static let digits = 6
  /// Length of a secret, in bytes (RFC 4226, section 4, R6: as long as the hash).
  static let secretBytes = 20
  /// Steps to either side that are accepted, for clock drift and slow typing (RFC 6238, section
  /// 5.2).
  private static let window: Int64 = 1

  let secret: [UInt8]

  /// Returns the code of a time step.
  func code(step: Int64, digits: Int = Self.digits) -> String {
    let counter = (0..<8).map { UInt8(truncatingIfNeeded: step >> (56 - 8 * $0)) }
    let hash = Array(
      HMAC<Insecure.SHA1>.authenticationCode(for: counter, using: SymmetricKey(data: secret)))
    // Dynamic truncation (RFC 4226, section 5.3).
    let offset = Int(hash[hash.count - 1] & 15)
    let number = hash[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
    let modulus = (0..<digits).reduce(UInt32(1)) { product, _ in product * 10 }
    let text = String(number % modulus)
    return String(repeating: "0", count: digits - text.count) + text
  }

  /// Returns the time step near `seconds` that the code belongs to; nil where there is none after
  /// `last`, as a code is accepted only once (RFC 6238, section 5.2).
  func step(of code: String, at seconds: Int64, after last: Int64) -> Int64? {
    let now = seconds / Self.stepSeconds
    var found: Int64?
    for step in (now - Self.window)...(now + Self.window) where step >= 0 {
      let isIt = constantTimeEqual(Array(self.code(step: step).utf8), Array(code.utf8))
      if isIt, step > last { found = found ?? step }
    }
    return found
  }

  /// Returns the URI for an authenticator's QR code (Key Uri Format).
  func uri(account: String) -> String {
    "otpauth://totp/Yijia:\(account)?secret=\(Base32.encode(secret))&issuer=Yijia&algorithm=SHA1"
      + "&digits=\(Self.digits)&period=\(Self.stepSeconds)"
  }
}

/// Base32 without padding (RFC 4648, section 6).
enum Base32 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")

  static func encode(_ bytes: [UInt8]) -> String {
    var text = ""
    var (bits, count) = (UInt32(0), 0)
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      count += 8
      while count >= 5 {
        count -= 5
        text.append(alphabet[Int(bits >> UInt32(count)) & 31])
      }
      bits &= (1 << UInt32(count)) - 1
    }
    if count > 0 { text.append(alphabet[Int(bits << UInt32(5 - count)) & 31]) }
    return text
  }
}

/// Compares two byte strings in a time that depends on their lengths only.
func constantTimeEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
  guard a.count == b.count else { return false }
  return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
}
