import Crypto
import Foundation

/// Derives request ids from the content of the work: a run that is repeated, or continued after a
/// crash, retries the same requests, so that nothing is done twice.
struct StableRequestID {
  private let seed: Data

  /// - Parameter work: What the requests are derived from, for example the content of a file.
  init(_ work: Data) { seed = Data(SHA256.hash(data: work)) }

  /// Returns the id of one request (UUID version 8, RFC 9562).
  func id(_ name: String) -> String {
    var bytes = Array(SHA256.hash(data: seed + Data(name.utf8)).prefix(16))
    bytes[6] = bytes[6] & 0x0f | 0x80
    bytes[8] = bytes[8] & 0x3f | 0x80
    let hex = bytes.map { String(format: "%02x", $0) }.joined()
    let cuts = [8, 4, 4, 4, 12]
    var parts: [Substring] = []
    var rest = hex[...]
    for cut in cuts {
      parts.append(rest.prefix(cut))
      rest = rest.dropFirst(cut)
    }
    return parts.joined(separator: "-")
  }
}
