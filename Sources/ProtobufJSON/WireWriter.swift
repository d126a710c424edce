/// Writes protobuf's wire format.
struct WireWriter {
  /// An open field: where it begins, and where its content begins.
  struct Mark {
    let field: Int
    let content: Int
  }

  private(set) var bytes: [UInt8] = []

  mutating func varint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    bytes.append(UInt8(value))
  }

  private mutating func tag(_ number: UInt32, _ wireType: UInt32) {
    varint(UInt64(number) << 3 | UInt64(wireType))
  }

  /// Opens a length-delimited field. One byte is reserved for its length, which is not known yet.
  mutating func begin(_ number: UInt32) -> Mark {
    let field = bytes.count
    tag(number, 2)
    bytes.append(0)
    return Mark(field: field, content: bytes.count)
  }

  /// Closes a field; if its length takes more than one byte, the content moves.
  mutating func end(_ mark: Mark, isKeptWhenEmpty: Bool = true) {
    let count = bytes.count - mark.content
    guard count > 0 || isKeptWhenEmpty else {
      bytes.removeSubrange(mark.field...)
      return
    }
    var length = WireWriter()
    length.varint(UInt64(count))
    bytes.replaceSubrange(mark.content - 1..<mark.content, with: length.bytes)
  }

  mutating func write(_ number: UInt32, _ content: [UInt8]) {
    tag(number, 2)
    varint(UInt64(content.count))
    bytes += content
  }

  /// Writes a value that is not a message, string or bytes; without a number, as the element of a
  /// packed list.
  mutating func write(_ number: UInt32?, _ kind: FieldType.Kind, raw: UInt64) {
    if let number { tag(number, kind.wireType) }
    switch kind.wireType {
    case 1: for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: raw >> (8 * shift))) }
    case 5: for shift in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: raw >> (8 * shift))) }
    default: varint(raw)
    }
  }
}
