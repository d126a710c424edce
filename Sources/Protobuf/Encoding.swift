/// One encoding: generated code writes a message's fields from the last to the first, backwards
/// into the thread's arena. So a length is known when it is to be written, and nothing is walked
/// twice. The tag of a field is `number << 3 | wire type`; 0 is none, for elements of a packed run.
@safe
package struct Encoding {
  /// Bytes of the first room: most messages fit.
  private static let bytesInitial = 8 << 10
  /// Bytes of the longest tag and the longest number together.
  private static let headBytesMax = 16

  private let arena: Arena
  private let mark: Arena.Mark
  /// The room, the arena's until `end`, and the first byte written so far.
  private var start: UnsafeMutableRawPointer
  private var at: UnsafeMutableRawPointer
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

  /// Gives the arena back.
  package func end() { arena.release(mark) }

  /// What was written, after `headroom` zeros.
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

  // MARK: - Room

  /// Bytes written so far.
  package var count: Int { unsafe limit - at }

  private static func room(_ arena: Arena, _ byteCount: Int) -> UnsafeMutableRawPointer {
    guard let room = unsafe arena.take(byteCount) else {
      preconditionFailure("an encoding's arena has no limit")
    }
    return unsafe room
  }

  /// Makes room for a field with so many bytes of content; false when there can be none.
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

  /// Enters a message within the one at hand; what comes back is for `leave`.
  package mutating func enter() -> Int {
    depth -= 1
    if depth < 0 { failure = .tooDeep }
    return count
  }

  /// Whether there is any use in writing on.
  package var goesOn: Bool { failure == nil }

  /// Leaves the message: all that was written since is its content.
  package mutating func leave(_ before: Int, _ tag: UInt32) {
    depth += 1
    length(since: before, tag)
  }

  /// All that was written since is the content of a field.
  package mutating func length(since before: Int, _ tag: UInt32) {
    guard reserve(0) else { return }
    put(UInt64(count - before))
    put(UInt64(tag))
  }

  /// Complete fields, as they are.
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

  /// A number, seven bits a byte; there is room for it.
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

/// The contract's other scalars, by those three forms.
extension Encoding {
  package mutating func int64(_ value: Int64, _ tag: UInt32 = 0) {
    uint64(UInt64(bitPattern: value), tag)
  }

  /// A negative number takes ten bytes, as if it had 64 bits.
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
