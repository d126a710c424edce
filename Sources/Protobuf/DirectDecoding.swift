/// Reads a small, ordinary message straight from its bytes into Swift values, in one walk that
/// checks as it goes: what a service is sent all day.
///
/// It reads the way ``Decoding`` does or not at all. Whatever is out of the ordinary (malformed,
/// unknown fields, a singular message in pieces, a oneof set twice, much memory) it refuses without
/// saying why; then generated code asks ``Decoding``, which has the last word and the error. What
/// refuses stands at its end, so that generated code needs no tests: every read gives zero.
///
/// It borrows the bytes for the time of `reads`.
@safe
package struct DirectDecoding {
  /// Bytes on the wire and of memory above which a message is checked before any memory is taken
  /// for it: enough for a page of a list, and refused too late it has cost little.
  private static let byteCountMax = 64 << 10
  private static let memoryMax = 2 << 20
  /// Bytes around what a Swift string or array holds.
  private static let headerBytes = 48

  private var at: UnsafePointer<UInt8>
  private var end: UnsafePointer<UInt8>
  /// Bytes of memory that may still be taken, counted as ``WireCheck`` counts.
  private var memory: Int
  /// How many messages may still lie within the one at hand.
  private var depth: Int
  private var isRefused = false

  private init(_ bytes: UnsafeBufferPointer<UInt8>, _ limits: DecodeLimits) {
    let cursor = unsafe WireCursor(bytes)
    unsafe at = cursor.at
    unsafe end = cursor.end
    memory = min(limits.memory, Self.memoryMax)
    depth = limits.depth
  }

  /// Whether `body` has read the message; else what it has read means nothing.
  package static func reads(
    _ bytes: RawSpan, _ limits: DecodeLimits, _ memory: Int,
    _ body: (inout DirectDecoding) -> Void
  ) -> Bool {
    guard limits.isDirect, bytes.byteCount <= min(limits.byteCount, byteCountMax) else {
      return false
    }
    return unsafe bytes.withUnsafeBytes { buffer in
      var decoding = unsafe DirectDecoding(buffer.assumingMemoryBound(to: UInt8.self), limits)
      decoding.take(memory)
      body(&decoding)
      return !decoding.isRefused
    }
  }

  // MARK: - Messages

  /// Stops reading.
  package mutating func refuse() {
    isRefused = true
    unsafe at = end
  }

  /// Refuses a second value where only the last, or all merged, would count.
  @inline(__always)
  package mutating func expect(_ condition: Bool) {
    if !condition { refuse() }
  }

  private mutating func take(_ byteCount: Int) {
    memory &-= byteCount
    if memory < 0 { refuse() }
  }

  /// Enters a message that takes so many bytes of memory; what comes back is for `leave`.
  package mutating func enter(_ byteCount: Int) -> DirectDecodingEnd {
    depth &-= 1
    if depth < 0 { refuse() }
    take(byteCount)
    return enterContent()
  }

  /// Leaves the message, which has been read to its end.
  package mutating func leave(_ outer: DirectDecodingEnd) {
    depth &+= 1
    leaveRun(outer)
  }

  /// Enters a run of packed numbers, each of so many bytes on the wire at least.
  package mutating func enterRun(_ bytesMin: Int) -> DirectDecodingEnd {
    let outer = enterContent()
    // An array in C and one in Swift, of elements of at most eight bytes.
    take(unsafe (end - at) / bytesMin * 16)
    return outer
  }

  @inline(__always)
  private mutating func enterContent() -> DirectDecodingEnd {
    let outer = unsafe DirectDecodingEnd(end: end)
    let count = length()
    unsafe end = at + count
    return outer
  }

  package mutating func leaveRun(_ outer: DirectDecodingEnd) {
    unsafe end = outer.end
    // Whoever has refused within has to stand at the end again.
    if isRefused { unsafe at = end }
  }

  /// Whether the packed run goes on.
  package var goesOn: Bool { unsafe at < end }

  /// How many fields with this tag follow each other, the one at hand included: for the room of an
  /// array whose elements take so many bytes each.
  package mutating func count(_ tag: UInt32, _ byteCount: Int) -> Int {
    var ahead = self
    var count = 1
    ahead.skip()
    while unsafe ahead.at < ahead.end, ahead.tag() == tag {
      ahead.skip()
      count += 1
    }
    guard !ahead.isRefused, count <= memory / byteCount else {
      refuse()
      return 0
    }
    return count
  }

  private mutating func skip() { unsafe at += length() }

  // MARK: - Fields

  /// The next field's number and wire type as one word; 0 at the end.
  package mutating func tag() -> UInt32 {
    guard unsafe at < end else { return 0 }
    let first = unsafe UInt32(at.pointee)
    if first < 0x80 {
      unsafe at += 1
      if first < 8 { refuse() }
      return isRefused ? 0 : first
    }
    return longTag()
  }

  private mutating func longTag() -> UInt32 {
    let tag = shortVarint()
    if tag < 8 { refuse() }
    return isRefused ? 0 : tag
  }

  /// A length, no more than the bytes that remain.
  @inline(__always)
  private mutating func length() -> Int {
    let length = Int(shortVarint())
    guard unsafe length <= end - at else {
      refuse()
      return 0
    }
    return length
  }

  /// A number of up to 32 bits in up to five bytes: what tags and lengths are.
  @inline(__always)
  private mutating func shortVarint() -> UInt32 {
    let start = unsafe at
    let value = varint()
    guard value <= UInt64(UInt32.max), unsafe at - start <= 5 || isRefused else {
      refuse()
      return 0
    }
    return UInt32(value)
  }

  @inline(__always)
  private mutating func varint() -> UInt64 {
    guard unsafe at < end else {
      refuse()
      return 0
    }
    let first = unsafe UInt64(at.pointee)
    if first < 0x80 {
      unsafe at += 1
      return first
    }
    return longVarint(first)
  }

  private mutating func longVarint(_ first: UInt64) -> UInt64 {
    var value = first & 0x7f
    var shift: UInt64 = 7
    var next = unsafe at + 1
    while unsafe next < end, shift < 64 {
      let byte = unsafe UInt64(next.pointee)
      value |= (byte & 0x7f) &<< shift
      unsafe next += 1
      if byte < 0x80 {
        // A tenth byte holds one bit more than there is room for in the nine before.
        if shift == 63, byte > 1 { break }
        unsafe at = next
        return value
      }
      shift += 7
    }
    refuse()
    return 0
  }

  package mutating func string() -> String {
    let count = length()
    take(2 &* count &+ Self.headerBytes)
    guard !isRefused, unsafe UTF8Check.isValid(at, count: count) else {
      refuse()
      return ""
    }
    let bytes = unsafe UnsafeBufferPointer(start: at, count: count)
    unsafe at += count
    return unsafe String(copying: UTF8Span(unchecked: bytes.span))
  }

  package mutating func bytes() -> [UInt8] {
    let count = length()
    take(2 &* count &+ Self.headerBytes)
    guard !isRefused else { return [] }
    let bytes = unsafe UnsafeBufferPointer(start: at, count: count)
    unsafe at += count
    return unsafe Array(bytes)
  }

  /// A number of a list: an element in C and one in Swift.
  package mutating func takeElement() { take(32) }

  package mutating func uint64() -> UInt64 { varint() }

  package mutating func fixed64() -> UInt64 {
    guard unsafe end - at >= 8 else {
      refuse()
      return 0
    }
    let value = unsafe UnsafeRawPointer(at).loadUnaligned(as: UInt64.self)
    unsafe at += 8
    return UInt64(littleEndian: value)
  }

  package mutating func fixed32() -> UInt32 {
    guard unsafe end - at >= 4 else {
      refuse()
      return 0
    }
    let value = unsafe UnsafeRawPointer(at).loadUnaligned(as: UInt32.self)
    unsafe at += 4
    return UInt32(littleEndian: value)
  }
}

/// Where the bytes around a nested message end: of `DirectDecoding.enter`, for its `leave`.
@safe
package struct DirectDecodingEnd {
  fileprivate let end: UnsafePointer<UInt8>
}

/// The contract's other scalars, by those three forms.
extension DirectDecoding {
  package mutating func int64() -> Int64 { Int64(bitPattern: uint64()) }
  /// A longer number keeps its low bits, as Google has it.
  package mutating func int32() -> Int32 { Int32(truncatingIfNeeded: uint64()) }
  package mutating func uint32() -> UInt32 { UInt32(truncatingIfNeeded: uint64()) }
  package mutating func bool() -> Bool { uint64() != 0 }

  package mutating func sint64() -> Int64 {
    let value = uint64()
    return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
  }

  package mutating func sint32() -> Int32 {
    let value = uint32()
    return Int32(bitPattern: value >> 1) ^ -Int32(bitPattern: value & 1)
  }

  package mutating func sfixed64() -> Int64 { Int64(bitPattern: fixed64()) }
  package mutating func sfixed32() -> Int32 { Int32(bitPattern: fixed32()) }
  package mutating func double() -> Double { Double(bitPattern: fixed64()) }
  package mutating func float() -> Float { Float(bitPattern: fixed32()) }
}
