internal import Foundation
internal import Synchronization

/// Random words from the system's cryptographically secure generator, fetched in batches: an
/// enrollment takes some twenty, and a system call for each was a tenth of its cost.
///
/// For identifiers and nonces, which are public; keys are generated separately, so that no copy of
/// them remains in the buffer.
public enum RandomWords {
  private static let state = Mutex(Fetched())

  /// Returns the next word.
  public static func next() -> UInt128 { state.withLock { $0.next() } }

  private struct Fetched {
    /// The maximum of getentropy(3).
    private static let bytesMax = 256
    private static let bytesOfOne = 16
    private var bytes = [UInt8](repeating: 0, count: bytesMax)
    private var used = bytesMax

    mutating func next() -> UInt128 {
      if used == Self.bytesMax {
        let code = bytes.withUnsafeMutableBytes { buffer in
          buffer.baseAddress.map { getentropy($0, buffer.count) }
        }
        precondition(code == 0, "the system gives random bytes")
        used = 0
      }
      defer { used += Self.bytesOfOne }
      return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: used, as: UInt128.self) }
    }
  }
}
