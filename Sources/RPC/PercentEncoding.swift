/// The encoding of `grpc-message`: UTF-8 with `%` and all but printable ASCII as `%XX`. So is a
/// space at either end, where no field value may have one.
/// Sources: gRPC's PROTOCOL-HTTP2, Status-Message; RFC 9113, section 8.2.1.
package enum PercentEncoding {
  private static let hex = Array("0123456789ABCDEF".utf8)
  private static let space = UInt8(ascii: " ")

  private static func isPlain(_ byte: UInt8) -> Bool {
    byte >= 0x20 && byte <= 0x7e && byte != UInt8(ascii: "%")
  }

  /// Encodes a text.
  /// - Parameter bytesMax: The largest size of the result. What exceeds it is cut off, by whole
  ///   Unicode scalars.
  package static func encode(_ text: String, bytesMax: Int = .max) -> String {
    if text.utf8.count <= bytesMax, text.utf8.allSatisfy(isPlain), text.utf8.first != space,
      text.utf8.last != space
    {
      return text
    }
    if text.utf8.count > bytesMax / 3 { return encode(cut(text, to: bytesMax)) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count * 3)
    let last = text.utf8.count - 1
    for (index, byte) in text.utf8.enumerated() {
      if isPlain(byte), byte != space || index > 0 && index < last {
        bytes.append(byte)
      } else {
        bytes.append(UInt8(ascii: "%"))
        bytes.append(hex[Int(byte >> 4)])
        bytes.append(hex[Int(byte & 15)])
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Returns the longest prefix of a text that fits into `bytesMax` bytes once it is encoded.
  private static func cut(_ text: String, to bytesMax: Int) -> String {
    // A space at an end takes two bytes more than one within.
    var left = bytesMax - (text.utf8.first == space ? 2 : 0) - (text.utf8.last == space ? 2 : 0)
    let kept = text.unicodeScalars.prefix { scalar in
      left -= UTF8.width(scalar) == 1 && isPlain(UInt8(scalar.value)) ? 1 : 3 * UTF8.width(scalar)
      return left >= 0
    }
    var start = String(kept)
    // A space before the cut would be one at the end.
    while start.utf8.count < text.utf8.count, start.utf8.last == space { start.removeLast() }
    return start
  }

  /// Decodes a text. Never fails: what is not an escape is kept, invalid UTF-8 is replaced.
  package static func decode(_ text: [UInt8]) -> String {
    guard text.contains(UInt8(ascii: "%")) else { return String(decoding: text, as: UTF8.self) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      if text[index] == UInt8(ascii: "%"), index + 2 < text.count,
        let high = digit(text[index + 1]), let low = digit(text[index + 2])
      {
        bytes.append(high << 4 | low)
        index += 3
      } else {
        bytes.append(text[index])
        index += 1
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
