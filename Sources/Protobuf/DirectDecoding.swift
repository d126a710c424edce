/// Decodes a small and ordinary message, as a service mostly receives, directly from its bytes into
/// Swift values, in one pass that checks at the same time.
///
/// It gives the same result as ``Decoding`` or none. Whatever is out of the ordinary (malformed,
/// unknown fields, a singular message in pieces, a oneof set twice, much memory) it refuses without
/// a reason; then generated code uses ``Decoding``, which decides and has the error. After a
/// refusal the cursor is at its end and every read returns zero, so that generated code needs no
/// checks.
///
/// It borrows the bytes for the duration of `reads`.
@safe
package struct DirectDecoding {
  /// The largest message in bytes on the wire: a larger one is checked before any memory is taken
  /// for it. A page of a list fits, and a late refusal has cost little.
  private static let byteCountMax = 64 << 10
  /// The most memory in bytes, for the same reason.
  private static let memoryMax = 2 << 20
  /// The bytes of a Swift string or array besides its content.
  private static let headerBytes = 48

  private var at: UnsafePointer<UInt8>
  private var end: UnsafePointer<UInt8>
  /// Bytes of memory that may still be taken, counted as by ``WireCheck``.
  private var memory: Int
  /// The nesting depth that is left for messages within the current one.
  private var depth: Int
  private var isRefused = false

  private init(_ bytes: UnsafeBufferPointer<UInt8>, _ limits: DecodeLimits) {
    let cursor = unsafe WireCursor(bytes)
    unsafe at = cursor.at
    unsafe end = cursor.end
    memory = min(limits.memory, Self.memoryMax)
    depth = limits.depth
  }

  /// Returns whether `body` has read the message; if not, what it has read is meaningless.
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

  /// Refuses the message and stops reading.
  package mutating func refuse() {
    isRefused = true
    unsafe at = end
  }

  /// Refuses the message unless a condition holds: there must be no second value, of which the
  /// last, or both merged, would count.
  @inline(__always)
  package mutating func expect(_ condition: Bool) {
    if !condition { refuse() }
  }

  private mutating func take(_ byteCount: Int) {
    memory &-= byteCount
    if memory < 0 { refuse() }
  }

  /// Enters a nested message that takes `byteCount` bytes of memory; the result is for `leave`.
  package mutating func enter(_ byteCount: Int) -> DirectDecodingEnd {
    depth &-= 1
    if depth < 0 { refuse() }
    take(byteCount)
    return enterContent()
  }

  /// Leaves a nested message, which has been read to its end.
  package mutating func leave(_ outer: DirectDecodingEnd) {
    depth &+= 1
    leaveRun(outer)
  }

  /// Enters a packed field whose numbers have at least `bytesMin` bytes each; the result is for
  /// `leaveRun`.
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
    // After a refusal the cursor has to be at its end again.
    if isRefused { unsafe at = end }
  }

  /// Whether the packed field has further numbers.
  package var goesOn: Bool { unsafe at < end }

  /// Returns how many fields with this tag follow each other, including the current one, to reserve
  /// an array whose elements take `byteCount` bytes each.
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

  /// Reads the number and wire type of the next field as one word; 0 at the end.
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

  /// Reads a length, which is at most the number of remaining bytes.
  @inline(__always)
  private mutating func length() -> Int {
    let length = Int(shortVarint())
    guard unsafe length <= end - at else {
      refuse()
      return 0
    }
    return length
  }

  /// Reads a varint of up to 32 bits in up to five bytes, as tags and lengths are.
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
        // A tenth byte has room for a single bit.
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

  /// Takes the memory of a number in a list: an element in C and one in Swift.
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

/// The end of the bytes around a nested message, from `DirectDecoding.enter` for `leave`.
@safe
package struct DirectDecodingEnd {
  fileprivate let end: UnsafePointer<UInt8>
}

/// The other scalar types of protobuf, read as one of these three forms.
extension DirectDecoding {
  package mutating func int64() -> Int64 { Int64(bitPattern: uint64()) }
  /// Reads a number; a longer one keeps its low bits, as with Google's decoders.
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
