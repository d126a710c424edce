/// The header lists received since the last `receive`, in one buffer that is reused.
///
/// A pure value, so that a callback accesses the session only once per field.
struct HeaderArena {
  fileprivate struct Field {
    var start: Int
    var nameCount: Int
    var valueCount: Int
  }

  /// The first allocation in bytes: the header lists of a few calls.
  private static let bytesFirst = 512
  /// The largest buffer in bytes that is kept for the next lists.
  private static let bytesKeptMax = 16 << 10
  /// The largest field array that is kept for the next lists.
  private static let fieldsKeptMax = 512

  private let listBytesMax: Int
  private let fieldsMax: Int
  /// Names and values, and spare room behind the first `used` bytes, into which fields are copied.
  private var bytes: [UInt8] = []
  private var used = 0
  private var fields: [Field] = []

  // The list that is being received.
  private var firstField = 0
  private var firstByte = 0
  private var listSize = 0
  private var isOverLimit = false
  private var isOpen = false
  private var isDropped = false

  init(listBytesMax: Int, fieldsMax: Int) {
    self.listBytesMax = listBytesMax
    self.fieldsMax = fieldsMax
  }

  /// Discards the lists handed out; one that is still being received moves to the front.
  mutating func forget() {
    guard isOpen else {
      if bytes.count > Self.bytesKeptMax { bytes = [] }
      used = 0
      fields.removeAll(keepingCapacity: fields.capacity <= Self.fieldsKeptMax)
      return
    }
    // What remains is a single list, so a larger buffer is released.
    if bytes.count > Self.bytesKeptMax {
      bytes = Array(bytes[firstByte..<used])
    } else {
      bytes.removeSubrange(..<firstByte)
    }
    used -= firstByte
    if fields.capacity > Self.fieldsKeptMax {
      fields = Array(fields[firstField...])
    } else {
      fields.removeSubrange(..<firstField)
    }
    for index in fields.indices { fields[index].start -= firstByte }
    firstField = 0
    firstByte = 0
  }

  mutating func beginList() {
    firstField = fields.count
    firstByte = used
    listSize = 0
    isOverLimit = false
    isOpen = true
    isDropped = false
  }

  /// Keeps nothing of the list being received, since it will not be read.
  mutating func dropList() { isDropped = true }

  /// The allocated bytes.
  var roomBytes: Int { bytes.count }

  /// The size of the list being received, including the fields that were left out.
  var openListBytes: Int { listSize }

  /// Appends a field to the list being received, by the size rule of SETTINGS_MAX_HEADER_LIST_SIZE.
  /// Fields over the limits are left out and the list is marked.
  mutating func append(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
    listSize += name.count + value.count + 32
    guard listSize <= listBytesMax, fields.count - firstField < fieldsMax, !isDropped else {
      isOverLimit = true
      return
    }
    let start = used
    let end = start + name.count + value.count
    used = end
    if end > bytes.count { grow() }
    unsafe bytes.withUnsafeMutableBytes { all in
      // The library's memory, valid during the callback: copied to where there is room for it.
      let room = unsafe UnsafeMutableRawBufferPointer(rebasing: all[start..<end])
      unsafe room.copyMemory(from: UnsafeRawBufferPointer(name))
      unsafe UnsafeMutableRawBufferPointer(rebasing: room[name.count...])
        .copyMemory(from: UnsafeRawBufferPointer(value))
    }
    fields.append(Field(start: start, nameCount: name.count, valueCount: value.count))
  }

  private mutating func grow() {
    let more = max(used, 2 * bytes.count, Self.bytesFirst) - bytes.count
    bytes.append(contentsOf: repeatElement(0, count: more))
  }

  mutating func endList() -> HeaderBlock {
    isOpen = false
    return HeaderBlock(
      first: Int32(firstField), count: Int32(fields.count - firstField),
      byteCount: Int32(used - firstByte), isOverLimit: isOverLimit)
  }

  /// The first digit of `:status`, if the list being received is a response head.
  var statusClass: UInt8? {
    guard firstField < fields.count else { return nil }
    let field = fields[firstField]
    guard field.nameCount == 7, field.valueCount == 3, bytes[field.start] == UInt8(ascii: ":")
    else { return nil }
    return bytes[field.start + 7]
  }

  /// Passes each field of a list to `body`, in order.
  func forEachField(in block: HeaderBlock, _ body: (_ name: RawSpan, _ value: RawSpan) -> Void) {
    unsafe bytes.withUnsafeBytes { buffer in
      for field in fields[Int(block.first)..<Int(block.first) + Int(block.count)] {
        let middle = field.start + field.nameCount
        // Spans of our own buffer, for the length of the call.
        let name = unsafe UnsafeRawBufferPointer(rebasing: buffer[field.start..<middle])
        let value = unsafe UnsafeRawBufferPointer(
          rebasing: buffer[middle..<middle + field.valueCount])
        unsafe body(RawSpan(_unsafeBytes: name), RawSpan(_unsafeBytes: value))
      }
    }
  }

  /// Passes the value of one field of a list to `body`.
  func withValue<Result>(
    of place: Int, in block: HeaderBlock, _ body: (RawSpan) -> Result
  ) -> Result {
    let field = fields[Int(block.first) + place]
    let start = field.start + field.nameCount
    // A span of our own buffer, for the length of the call.
    return body(unsafe bytes.span.bytes.extracting(start..<start + field.valueCount))
  }

  /// Returns a copy of a list that outlives the arena's contents. A list equals the copy whatever
  /// its value at `place`, as long as that has the same length.
  func copy(of block: HeaderBlock, anyValueOf place: Int?) -> HeaderCopy {
    let chosen = fields[Int(block.first)..<Int(block.first) + Int(block.count)]
    let start = chosen.first?.start ?? 0
    let open = place.map { place in
      let field = chosen[chosen.startIndex + place]
      let from = field.start - start + field.nameCount
      return from..<from + field.valueCount
    }
    return HeaderCopy(
      bytes: Array(bytes[start..<start + Int(block.byteCount)]), fields: Array(chosen),
      open: open ?? 0..<0)
  }

  /// Returns whether a list has the same fields as a copy, in the same order.
  func list(_ block: HeaderBlock, isSameAs known: HeaderCopy) -> Bool {
    guard block.count > 0, block.count == known.fields.count,
      block.byteCount == known.bytes.count
    else { return false }
    let first = Int(block.first)
    for index in known.fields.indices {
      let (field, other) = (fields[first + index], known.fields[index])
      guard field.nameCount == other.nameCount, field.valueCount == other.valueCount else {
        return false
      }
    }
    let start = fields[first].start
    return unsafe bytes.withUnsafeBytes { mine in
      unsafe known.bytes.withUnsafeBytes { theirs in
        let mine = unsafe UnsafeRawBufferPointer(rebasing: mine[start..<start + theirs.count])
        return unsafe HeaderCopy.areEqual(mine, theirs, 0..<known.open.lowerBound)
          && HeaderCopy.areEqual(mine, theirs, known.open.upperBound..<theirs.count)
      }
    }
  }
}

/// A copy of a received header list, to compare the next one with: clients repeat themselves.
public struct HeaderCopy: Sendable {
  fileprivate let bytes: [UInt8]
  fileprivate let fields: [HeaderArena.Field]
  /// The range of the value that is not compared.
  fileprivate let open: Range<Int>

  /// Compares a range of two buffers in words of eight bytes.
  fileprivate static func areEqual(
    _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, _ range: Range<Int>
  ) -> Bool {
    var offset = range.lowerBound
    while offset + 8 <= range.upperBound {
      guard
        unsafe a.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
          == b.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      else { return false }
      offset += 8
    }
    while offset < range.upperBound {
      guard unsafe a[offset] == b[offset] else { return false }
      offset += 1
    }
    return true
  }
}
