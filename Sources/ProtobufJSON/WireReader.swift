internal import Protobuf

/// Reads protobuf's wire format from an array. In safe code, since JSON is not a hot path.
struct WireReader {
  let bytes: [UInt8]
  private(set) var at: Int
  let end: Int

  init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    at = range.lowerBound
    end = range.upperBound
  }

  var isAtEnd: Bool { at == end }

  mutating func varint() throws(DecodeError) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<10 {
      guard at < end else { throw .truncated }
      let byte = bytes[at]
      at += 1
      value |= UInt64(byte & 0x7f) << UInt64(7 * index)
      if byte < 0x80 { return value }
    }
    throw .varintOverflow
  }

  mutating func tag() throws(DecodeError) -> UInt32 {
    let value = try varint()
    guard let tag = UInt32(exactly: value) else { throw .varintOverflow }
    guard tag >= 8 else { throw .zeroFieldNumber }
    return tag
  }

  mutating func content() throws(DecodeError) -> Range<Int> {
    let length = try varint()
    guard length <= UInt64(end - at) else { throw .truncated }
    defer { at += Int(length) }
    return at..<at + Int(length)
  }

  mutating func fixed32() throws(DecodeError) -> UInt32 {
    guard end - at >= 4 else { throw .truncated }
    defer { at += 4 }
    return (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) }
  }

  mutating func fixed64() throws(DecodeError) -> UInt64 {
    guard end - at >= 8 else { throw .truncated }
    defer { at += 8 }
    return (0..<8).reduce(0) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
  }

  /// Skips the value of a field whose tag was just read.
  mutating func skip(_ tag: UInt32, depth: Int) throws(DecodeError) {
    switch tag & 7 {
    case 0: _ = try varint()
    case 1: _ = try fixed64()
    case 2: _ = try content()
    case 5: _ = try fixed32()
    case 3:
      guard depth > 0 else { throw .tooDeep }
      while true {
        let inner = try self.tag()
        if inner & 7 == 4 {
          guard inner >> 3 == tag >> 3 else { throw .unmatchedGroup }
          return
        }
        try skip(inner, depth: depth - 1)
      }
    case 4: throw .unmatchedGroup
    default: throw .invalidWireType
    }
  }
}

extension FieldType.Kind {
  /// The wire type of a single value.
  var wireType: UInt32 {
    switch self {
    case .double, .fixed64, .sfixed64: 1
    case .float, .fixed32, .sfixed32: 5
    case .string, .bytes, .message: 2
    default: 0
    }
  }
}
