/// Base64 for `-bin` metadata: encodes without padding, decodes with or without.
/// Source: RFC 4648, section 4, and gRPC's PROTOCOL-HTTP2 on Binary-Header.
package enum Base64 {
  private static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// The six bits of each byte of the alphabet, 0xff for all other bytes.
  private static let reverse: [UInt8] = {
    var table = [UInt8](repeating: 0xff, count: 256)
    for (bits, byte) in alphabet.enumerated() { table[Int(byte)] = UInt8(bits) }
    return table
  }()

  package static func encode(_ bytes: [UInt8]) -> String {
    let text = [UInt8](unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4) { out, count in
      var index = 0
      while index + 2 < bytes.count {
        let group =
          UInt32(bytes[index]) << 16 | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2])
        for shift in stride(from: 18, through: 0, by: -6) {
          out[count] = alphabet[Int(group >> UInt32(shift) & 63)]
          count += 1
        }
        index += 3
      }
      let left = bytes.count - index
      guard left > 0 else { return }
      var group = UInt32(bytes[index]) << 16
      if left == 2 { group |= UInt32(bytes[index + 1]) << 8 }
      for position in 0...left {
        out[count] = alphabet[Int(group >> UInt32(18 - 6 * position) & 63)]
        count += 1
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Returns the values that are joined in one `-bin` field: the text between its commas, without
  /// the space that a list may have around each comma.
  /// Source: RFC 9110, sections 5.3 and 5.6.1.
  package static func pieces(of field: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    var pieces = field.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    for index in pieces.indices {
      if index > 0 { pieces[index] = pieces[index].drop(while: isSpace) }
      guard index < pieces.count - 1 else { continue }
      let last = pieces[index].lastIndex { !isSpace($0) }
      pieces[index] = pieces[index][..<(last.map { $0 + 1 } ?? pieces[index].startIndex)]
    }
    return pieces
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
  }

  /// Returns the decoded bytes, or nil if the text is not base64: it has other characters, or is
  /// not what the bytes are encoded to, with padding or without.
  /// Source: RFC 4648, sections 3.3 and 3.5.
  package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count * 3 / 4)
    var group: UInt32 = 0
    var digits = 0
    var padding = 0
    for byte in text {
      if byte == UInt8(ascii: "=") {
        padding += 1
        continue
      }
      let bits = reverse[Int(byte)]
      guard bits != 0xff, padding == 0 else { return nil }
      group = group << 6 | UInt32(bits)
      digits += 1
      if digits == 4 {
        bytes.append(UInt8(truncatingIfNeeded: group >> 16))
        bytes.append(UInt8(truncatingIfNeeded: group >> 8))
        bytes.append(UInt8(truncatingIfNeeded: group))
        group = 0
        digits = 0
      }
    }
    switch digits {
    case 0:
      guard padding == 0 else { return nil }
    case 2:
      guard padding == 0 || padding == 2, group & 15 == 0 else { return nil }
      bytes.append(UInt8(truncatingIfNeeded: group >> 4))
    case 3:
      guard padding == 0 || padding == 1, group & 3 == 0 else { return nil }
      bytes.append(UInt8(truncatingIfNeeded: group >> 10))
      bytes.append(UInt8(truncatingIfNeeded: group >> 2))
    default: return nil
    }
    return bytes
  }
}
