/// One encoding: generated code writes the fields of a message from last to first, backwards into
/// the thread's arena. So a length is known when it is to be written, and nothing is walked twice.
/// The tag of a field is `number << 3 | wire type`; 0 writes none, for the elements of a packed
/// field.
@safe
package struct Encoding {
  /// The initial buffer in bytes: most messages fit.
  private static let bytesInitial = 8 << 10
  /// Bytes of the longest tag and the longest number together.
  private static let headBytesMax = 16

  private let arena: Arena
  private let mark: Arena.Mark
  /// The buffer, owned by the arena until `end`.
  private var start: UnsafeMutableRawPointer
  /// The first byte written so far.
  private var at: UnsafeMutableRawPointer
  /// The end of the buffer.
  private var limit: UnsafeMutableRawPointer
  private var depth = DecodeLimits.standard.depth
  private var failure: EncodeError?

  package init() {
    arena = Arena.current
    mark = arena.begin(budget: .max)
    unsafe start = Encoding.room(arena, Encoding.bytesInitial)
    unsafe limit = start + Encoding.bytesInitial
    unsafe at = limit
  }

  /// Releases the arena's memory.
  package func end() { arena.release(mark) }

  /// Returns the encoded bytes behind `headroom` zero bytes.
  /// - Throws: ``EncodeError``.
  package func output(headroom: Int) throws(EncodeError) -> [UInt8] {
    if let failure { throw failure }
    return unsafe [UInt8](unsafeUninitializedCapacity: headroom + count) { buffer, initialized in
      unsafe buffer.prefix(headroom).update(repeating: 0)
      // The array has room for exactly what was written.
      if count > 0, let base = buffer.baseAddress {
        unsafe UnsafeMutableRawPointer(base + headroom).copyMemory(from: at, byteCount: count)
      }
      initialized = headroom + count
    }
  }

  // MARK: - Buffer

  /// Bytes written so far.
  package var count: Int { unsafe limit - at }

  private static func room(_ arena: Arena, _ byteCount: Int) -> UnsafeMutableRawPointer {
    guard let room = unsafe arena.take(byteCount) else {
      preconditionFailure("an encoding's arena has no limit")
    }
    return unsafe room
  }

  /// Makes room for a field with `byteCount` bytes of content; returns false if that is not
  /// possible.
  @inline(__always)
  private mutating func reserve(_ byteCount: Int) -> Bool {
    if unsafe byteCount &+ Encoding.headBytesMax <= at - start { return true }
    return grow(byteCount + Encoding.headBytesMax)
  }

  @inline(never)
  private mutating func grow(_ byteCount: Int) -> Bool {
    let count = count
    guard failure == nil, count + byteCount <= Int(Int32.max) else {
      failure = failure ?? .tooLong
      return false
    }
    let larger = unsafe 2 * max(limit - start, count + byteCount)
    unsafe start = Encoding.room(arena, larger)
    let moved = unsafe start + larger - count
    unsafe moved.copyMemory(from: at, byteCount: count)
    unsafe at = moved
    unsafe limit = start + larger
    return true
  }

  // MARK: - Messages

  /// Begins a nested message; the result is for `leave`.
  package mutating func enter() -> Int {
    depth -= 1
    if depth < 0 { failure = .tooDeep }
    return count
  }

  /// Whether the encoding has not failed yet.
  package var goesOn: Bool { failure == nil }

  /// Ends a nested message: everything written since `enter` is its content.
  package mutating func leave(_ before: Int, _ tag: UInt32) {
    depth += 1
    length(since: before, tag)
  }

  /// Writes the length and the tag of a field whose content was written since `before`.
  package mutating func length(since before: Int, _ tag: UInt32) {
    guard reserve(0) else { return }
    put(UInt64(count - before))
    put(UInt64(tag))
  }

  /// Writes complete fields unchanged.
  package mutating func unknownFields(_ fields: UnknownFields) {
    if !fields.isEmpty { content(fields.bytes) }
  }

  // MARK: - Fields

  package mutating func string(_ text: String, _ tag: UInt32) {
    let before = count
    let isDone: Void? = unsafe text.utf8.withContiguousStorageIfAvailable { unsafe content($0) }
    if isDone == nil { content(Array(text.utf8)) }
    length(since: before, tag)
  }

  package mutating func bytes(_ bytes: [UInt8], _ tag: UInt32) {
    let before = count
    content(bytes)
    length(since: before, tag)
  }

  package mutating func uint64(_ value: UInt64, _ tag: UInt32 = 0) {
    guard reserve(0) else { return }
    put(value)
    if tag != 0 { put(UInt64(tag)) }
  }

  package mutating func fixed64(_ value: UInt64, _ tag: UInt32 = 0) {
    guard reserve(0) else { return }
    unsafe at -= 8
    unsafe at.storeBytes(of: value.littleEndian, as: UInt64.self)
    if tag != 0 { put(UInt64(tag)) }
  }

  package mutating func fixed32(_ value: UInt32, _ tag: UInt32 = 0) {
    guard reserve(0) else { return }
    unsafe at -= 4
    unsafe at.storeBytes(of: value.littleEndian, as: UInt32.self)
    if tag != 0 { put(UInt64(tag)) }
  }

  private mutating func content(_ bytes: [UInt8]) {
    unsafe bytes.withUnsafeBufferPointer { unsafe content($0) }
  }

  private mutating func content(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard reserve(bytes.count), let base = bytes.baseAddress else { return }
    unsafe at -= bytes.count
    unsafe at.copyMemory(from: base, byteCount: bytes.count)
  }

  /// Writes a varint, for which there must be room.
  @inline(__always)
  private mutating func put(_ value: UInt64) {
    if value < 0x80 {
      unsafe at -= 1
      unsafe at.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
    } else {
      putLong(value)
    }
  }

  private mutating func putLong(_ value: UInt64) {
    let byteCount = (70 - value.leadingZeroBitCount) / 7
    unsafe at -= byteCount
    var rest = value
    for index in 0..<byteCount - 1 {
      let byte = UInt8(truncatingIfNeeded: rest) | 0x80
      unsafe at.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
      rest >>= 7
    }
    let last = UInt8(truncatingIfNeeded: rest)
    unsafe at.storeBytes(of: last, toByteOffset: byteCount - 1, as: UInt8.self)
  }
}

/// The other scalar types of protobuf, written as one of these three forms.
extension Encoding {
  package mutating func int64(_ value: Int64, _ tag: UInt32 = 0) {
    uint64(UInt64(bitPattern: value), tag)
  }

  /// Writes a number; a negative one takes ten bytes, as if it had 64 bits.
  package mutating func int32(_ value: Int32, _ tag: UInt32 = 0) { int64(Int64(value), tag) }

  package mutating func uint32(_ value: UInt32, _ tag: UInt32 = 0) { uint64(UInt64(value), tag) }

  package mutating func bool(_ value: Bool, _ tag: UInt32 = 0) { uint64(value ? 1 : 0, tag) }

  package mutating func sint64(_ value: Int64, _ tag: UInt32 = 0) {
    int64(value << 1 ^ value >> 63, tag)
  }

  package mutating func sint32(_ value: Int32, _ tag: UInt32 = 0) {
    uint32(UInt32(bitPattern: value << 1 ^ value >> 31), tag)
  }

  package mutating func sfixed64(_ value: Int64, _ tag: UInt32 = 0) {
    fixed64(UInt64(bitPattern: value), tag)
  }

  package mutating func sfixed32(_ value: Int32, _ tag: UInt32 = 0) {
    fixed32(UInt32(bitPattern: value), tag)
  }

  package mutating func double(_ value: Double, _ tag: UInt32 = 0) {
    fixed64(value.bitPattern, tag)
  }

  package mutating func float(_ value: Float, _ tag: UInt32 = 0) { fixed32(value.bitPattern, tag) }
}
