import Crypto
import CryptoExtras
import Foundation

/// A password hash in its stored form: `scrypt$N$r$p$salt$hash`, with the logarithm of N and bytes
/// in base64 (RFC 7914).
struct PasswordHash: Sendable, Hashable {
  /// The cost parameters of one hash.
  struct Cost: Sendable, Hashable {
    /// Logarithm of N to base 2; with a block size of 8, memory is 1 KiB shifted left by it.
    let logarithm: Int
    let parallelism: Int

    /// 32 MiB and a quarter of a second: of the settings of OWASP's password storage cheat sheet
    /// the one with the least memory for its strength.
    static let standard = Cost(logarithm: 15, parallelism: 3)
  }

  private static let blockSize = 8
  private static let hashBytes = 32
  static let saltBytes = 16
  /// Upper bounds of stored parameters that are accepted.
  private static let costMax = Cost(logarithm: 20, parallelism: 16)

  private let cost: Cost
  private let salt: [UInt8]
  private let hash: [UInt8]

  /// Hashes a password. Takes long and blocks the calling thread: see ``PasswordHasher``.
  init(of password: String, salt: [UInt8], cost: Cost) throws {
    self.cost = cost
    self.salt = salt
    hash = try Self.derive(password, salt, cost)
  }

  /// Creates a hash that matches no known password, for unknown user names.
  init(decoyOf cost: Cost, salt: [UInt8]) {
    self.cost = cost
    self.salt = salt
    hash = [UInt8](repeating: 0, count: Self.hashBytes)
  }

  /// Parses the stored form; nil where it is malformed.
  init?(text: String) {
    let parts = text.split(separator: "$", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 6, parts[0] == "scrypt", let logarithm = Int(parts[1]),
      (1...Self.costMax.logarithm).contains(logarithm), Int(parts[2]) == Self.blockSize,
      let parallelism = Int(parts[3]), (1...Self.costMax.parallelism).contains(parallelism),
      let salt = Data(base64Encoded: parts[4]), let hash = Data(base64Encoded: parts[5]),
      hash.count == Self.hashBytes
    else { return nil }
    cost = Cost(logarithm: logarithm, parallelism: parallelism)
    self.salt = Array(salt)
    self.hash = Array(hash)
  }

  /// The stored form.
  var text: String {
    [
      "scrypt", String(cost.logarithm), String(Self.blockSize), String(cost.parallelism),
      Data(salt).base64EncodedString(), Data(hash).base64EncodedString(),
    ].joined(separator: "$")
  }

  /// Whether the password matches. Takes long and blocks the calling thread.
  func matches(_ password: String) throws -> Bool {
    constantTimeEqual(try Self.derive(password, salt, cost), hash)
  }

  private static func derive(_ password: String, _ salt: [UInt8], _ cost: Cost) throws -> [UInt8] {
    // Keyboards may compose the same characters differently (RFC 8265, 4.2).
    let bytes = Array(password.precomposedStringWithCanonicalMapping.utf8)
    let key = try KDF.Scrypt.deriveKey(
      from: bytes, salt: salt, outputByteCount: hashBytes, rounds: 1 << cost.logarithm,
      blockSize: blockSize, parallelism: cost.parallelism)
    return key.withUnsafeBytes { Array($0) }
  }
}
