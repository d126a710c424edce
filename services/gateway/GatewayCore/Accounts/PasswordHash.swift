import Crypto
import CryptoExtras
import Foundation

/// A password as it is stored: `scrypt$N$r$p$salt$hash`, N as its logarithm, bytes in base64 (RFC
/// 7914).
struct PasswordHash: Sendable, Hashable {
  /// What a guess costs.
  struct Cost: Sendable, Hashable {
    /// Logarithm of N; with a block size of 8, memory is 1 KiB shifted by it.
    let logarithm: Int
    let parallelism: Int

    /// 32 MiB and a quarter of a second: OWASP's password storage cheat sheet, the setting with the
    /// least memory for its strength.
    static let standard = Cost(logarithm: 15, parallelism: 3)
  }

  private static let blockSize = 8
  private static let hashBytes = 32
  static let saltBytes = 16
  /// Stored parameters beyond these are none of ours.
  private static let costMax = Cost(logarithm: 20, parallelism: 16)

  private let cost: Cost
  private let salt: [UInt8]
  private let hash: [UInt8]

  /// Takes long, on the calling thread: see ``PasswordHasher``.
  init(of password: String, salt: [UInt8], cost: Cost) throws {
    self.cost = cost
    self.salt = salt
    hash = try Self.derive(password, salt, cost)
  }

  /// A hash that no password is known of, for who is not there.
  init(decoyOf cost: Cost, salt: [UInt8]) {
    self.cost = cost
    self.salt = salt
    hash = [UInt8](repeating: 0, count: Self.hashBytes)
  }

  /// The stored text; nil where it is none.
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

  /// For the store.
  var text: String {
    [
      "scrypt", String(cost.logarithm), String(Self.blockSize), String(cost.parallelism),
      Data(salt).base64EncodedString(), Data(hash).base64EncodedString(),
    ].joined(separator: "$")
  }

  /// Whether it is of that password. Takes long, on the calling thread.
  func matches(_ password: String) throws -> Bool {
    constantTimeEqual(try Self.derive(password, salt, cost), hash)
  }

  private static func derive(_ password: String, _ salt: [UInt8], _ cost: Cost) throws -> [UInt8] {
    // The same password typed on another keyboard may be composed otherwise (RFC 8265, 4.2).
    let bytes = Array(password.precomposedStringWithCanonicalMapping.utf8)
    let key = try KDF.Scrypt.deriveKey(
      from: bytes, salt: salt, outputByteCount: hashBytes, rounds: 1 << cost.logarithm,
      blockSize: blockSize, parallelism: cost.parallelism)
    return key.withUnsafeBytes { Array($0) }
  }
}
