import Protobuf

/// Builds wire format by hand, invalid where a test needs that.
struct WireBytes {
  private(set) var bytes: [UInt8] = []

  static func varint(_ value: UInt64) -> [UInt8] {
    var value = value
    var bytes: [UInt8] = []
    while value >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    return bytes + [UInt8(value)]
  }

  /// Returns a length-delimited field.
  static func field(_ number: UInt64, _ content: [UInt8]) -> [UInt8] {
    varint(number << 3 | 2) + varint(UInt64(content.count)) + content
  }

  /// Returns a varint field.
  static func field(_ number: UInt64, _ value: UInt64) -> [UInt8] {
    varint(number << 3) + varint(value)
  }

  /// Returns a group.
  static func group(_ number: UInt64, _ content: [UInt8]) -> [UInt8] {
    varint(number << 3 | 3) + content + varint(number << 3 | 4)
  }

  /// Returns `content` nested in `depth` fields.
  static func nested(_ number: UInt64, depth: Int, _ content: [UInt8] = []) -> [UInt8] {
    (0..<depth).reduce(content) { inner, _ in field(number, inner) }
  }
}
