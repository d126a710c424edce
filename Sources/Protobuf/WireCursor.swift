/// Reads protobuf's wire format from start to end.
///
/// It borrows the bytes: its creator keeps them alive while it is in use.
@safe
struct WireCursor {
  private(set) var at: UnsafePointer<UInt8>
  let end: UnsafePointer<UInt8>

  /// The longest varint of 64 bits, in bytes.
  private static let varintBytesMax = 10
  /// The longest varint of a tag or length, which have 32 bits, in bytes.
  private static let shortVarintBytesMax = 5

  init(_ start: UnsafePointer<UInt8>, count: Int) {
    unsafe at = unsafe start
    unsafe end = unsafe start + count
  }

  init(_ bytes: UnsafeBufferPointer<UInt8>) {
    // An empty buffer may have no address; then nothing is read from the one used instead.
    let start = unsafe bytes.baseAddress ?? UnsafePointer(bitPattern: 1).unsafelyUnwrapped
    unsafe self.init(start, count: bytes.count)
  }

  var isAtEnd: Bool { unsafe at >= end }
  var remaining: Int { unsafe end - at }

  /// Reads a varint of 64 bits; further bits of a tenth byte are dropped, as by Google's decoders.
  @inline(__always)
  mutating func varint() throws(DecodeError) -> UInt64 {
    guard !isAtEnd else { throw .truncated }
    let first = unsafe at.pointee
    if first < 0x80 {
      unsafe at += 1
      return UInt64(first)
    }
    return try longVarint(first)
  }

  /// Skips a varint.
  @inline(__always)
  mutating func skipVarint() throws(DecodeError) {
    if remaining >= 8 {
      // The first byte without its high bit ends the varint. The cursor's bytes are the caller's.
      let word = unsafe UnsafeRawPointer(at).loadUnaligned(as: UInt64.self).littleEndian
      let ends = ~word & 0x8080_8080_8080_8080
      if ends != 0 {
        unsafe at += ends.trailingZeroBitCount / 8 + 1
        return
      }
    }
    _ = try varint()
  }

  private mutating func longVarint(_ first: UInt8) throws(DecodeError) -> UInt64 {
    let available = min(remaining, WireCursor.varintBytesMax)
    var value = UInt64(first & 0x7f)
    var index = 1
    while index < available {
      let byte = unsafe at[index]
      value |= UInt64(byte & 0x7f) &<< UInt64(7 * index)
      index += 1
      if byte < 0x80 {
        unsafe at += index
        return value
      }
    }
    throw available == WireCursor.varintBytesMax ? .varintOverflow : .truncated
  }

  /// Reads a varint of up to 32 bits in up to five bytes, as tags and lengths are.
  @inline(__always)
  private mutating func shortVarint() throws(DecodeError) -> UInt32 {
    guard !isAtEnd else { throw .truncated }
    let first = unsafe at.pointee
    if first < 0x80 {
      unsafe at += 1
      return UInt32(first)
    }
    return try longShortVarint(first)
  }

  private mutating func longShortVarint(_ first: UInt8) throws(DecodeError) -> UInt32 {
    let available = min(remaining, WireCursor.shortVarintBytesMax)
    var value = UInt64(first & 0x7f)
    var index = 1
    while index < available {
      let byte = unsafe at[index]
      value |= UInt64(byte & 0x7f) &<< UInt64(7 * index)
      index += 1
      if byte < 0x80 {
        guard let short = UInt32(exactly: value) else { throw .varintOverflow }
        unsafe at += index
        return short
      }
    }
    throw available == WireCursor.shortVarintBytesMax ? .varintOverflow : .truncated
  }

  /// Reads a field's number and wire type as one word: `number << 3 | type`.
  @inline(__always)
  mutating func tag() throws(DecodeError) -> UInt32 {
    let tag = try shortVarint()
    guard tag >= 8 else { throw .zeroFieldNumber }
    return tag
  }

  /// Reads a length, which is at most the number of remaining bytes.
  @inline(__always)
  mutating func length() throws(DecodeError) -> Int {
    let length = Int(try shortVarint())
    guard length <= Int(Int32.max) else { throw .varintOverflow }
    guard length <= remaining else { throw .truncated }
    return length
  }

  /// Skips `count` bytes.
  @inline(__always)
  mutating func skip(_ count: Int) throws(DecodeError) {
    guard count <= remaining else { throw .truncated }
    unsafe at += count
  }

  /// Reads the content of a length-delimited field, as a cursor of its own.
  @inline(__always)
  mutating func content() throws(DecodeError) -> WireCursor {
    let count = try length()
    let inner = unsafe WireCursor(at, count: count)
    unsafe at += count
    return inner
  }

  /// Skips the value of a field whose tag was just read. `depth` is how deep groups may be nested.
  mutating func skipValue(tag: UInt32, depth: Int) throws(DecodeError) {
    switch tag & 7 {
    case WireType.varint: try skipVarint()
    case WireType.fixed64: try skip(8)
    case WireType.length: try skip(try length())
    case WireType.fixed32: try skip(4)
    case WireType.groupStart:
      guard depth > 0 else { throw .tooDeep }
      while true {
        let inner = try self.tag()
        if inner & 7 == WireType.groupEnd {
          guard inner >> 3 == tag >> 3 else { throw .unmatchedGroup }
          return
        }
        try skipValue(tag: inner, depth: depth - 1)
      }
    case WireType.groupEnd: throw .unmatchedGroup
    default: throw .invalidWireType
    }
  }
}

/// The wire type of a value: the low three bits of its tag.
enum WireType {
  static let varint: UInt32 = 0
  static let fixed64: UInt32 = 1
  static let length: UInt32 = 2
  static let groupStart: UInt32 = 3
  static let groupEnd: UInt32 = 4
  static let fixed32: UInt32 = 5
}
