internal import CProtobufC

/// Checks a message's bytes against the generated tables before libprotobuf-c gets them.
///
/// Refuses what is malformed as Google's decoders do (depth, lengths, varints, UTF-8, groups, field
/// number 0), adds up the memory that unpacking would take, and determines whether libprotobuf-c
/// would read the bytes as Google's decoders do. If not, ``WireRewrite`` normalizes them first.
struct WireCheck {
  /// The most memory, in bytes, that unpacking and the Swift value take.
  private(set) var memory = 0
  /// Whether libprotobuf-c reads the bytes as Google's decoders do: no field is unknown or of
  /// another wire type, no singular message comes in pieces, no oneof is set twice.
  private(set) var isRegular = true

  /// The fields that libprotobuf-c records in its stack frame before it allocates memory.
  private static let fieldsFree = 16
  /// The bytes for each further field: 40, in blocks that double.
  private static let fieldBytes = 80
  /// The bytes of a Swift string or array besides its content.
  private static let headerBytes = 48

  /// Checks one message.
  /// - Parameter depth: The nesting depth that is left for messages within this one.
  mutating func message(
    _ bytes: WireCursor, _ table: UnsafePointer<ProtobufCMessageDescriptor>, depth: Int
  ) throws(DecodeError) {
    unsafe memory &+= table.pointee.sizeof_message &+ Int(bitPattern: table.pointee.reserved1)
    var cursor = bytes
    var lookup = unsafe FieldLookup(table)
    var fieldCount = 0
    var highest: UInt32 = 0
    var oneofs: UInt64 = 0
    while !cursor.isAtEnd {
      let tag = try cursor.tag()
      fieldCount += 1
      guard let field = unsafe lookup.find(tag >> 3) else {
        try unknown(tag, &cursor, depth)
        continue
      }
      let shape = unsafe FieldShape(field)
      guard shape.accepts(tag & 7) else {
        try unknown(tag, &cursor, depth)
        continue
      }
      if shape.oneof != 0 {
        let bit = UInt64(1) << UInt64(shape.oneof & 63)
        if oneofs & bit != 0 { isRegular = false }
        oneofs |= bit
      }
      if shape.isMessage {
        guard depth > 0 else { throw .tooDeep }
        // The highest number so far shows cheaply that a singular message may have come before.
        if !shape.isRepeated, tag >> 3 <= highest { isRegular = false }
        let inner = unsafe field.pointee.descriptor.assumingMemoryBound(
          to: ProtobufCMessageDescriptor.self)
        unsafe try message(try cursor.content(), inner, depth: depth - 1)
      } else {
        try scalar(tag, shape, &cursor)
      }
      highest = max(highest, tag >> 3)
    }
    if fieldCount > WireCheck.fieldsFree {
      memory &+= (fieldCount - WireCheck.fieldsFree) &* WireCheck.fieldBytes
    }
  }

  @inline(__always)
  private mutating func scalar(
    _ tag: UInt32, _ shape: FieldShape, _ cursor: inout WireCursor
  ) throws(DecodeError) {
    if shape.isRepeated { memory &+= 32 }
    switch tag & 7 {
    case WireType.varint: try cursor.skipVarint()
    case WireType.fixed64: try cursor.skip(8)
    case WireType.fixed32: try cursor.skip(4)
    default:
      let content = try cursor.content()
      if shape.wireType == WireType.length {
        memory &+= 2 &* content.remaining &+ WireCheck.headerBytes
        let isValid =
          unsafe !shape.isText || UTF8Check.isValid(content.at, count: content.remaining)
        guard isValid else {
          throw .invalidUTF8(field: Int(tag >> 3))
        }
      } else {
        try packed(shape.wireType, content)
      }
    }
  }

  private mutating func packed(_ wireType: UInt32, _ bytes: WireCursor) throws(DecodeError) {
    // An array in C and one in Swift, of elements of at most 8 bytes.
    switch wireType {
    case WireType.fixed64:
      guard bytes.remaining % 8 == 0 else { throw .invalidPackedLength }
      memory &+= 2 &* bytes.remaining
    case WireType.fixed32:
      guard bytes.remaining % 4 == 0 else { throw .invalidPackedLength }
      memory &+= 2 &* bytes.remaining
    default:
      memory &+= 16 &* bytes.remaining
      var cursor = bytes
      while !cursor.isAtEnd { try cursor.skipVarint() }
    }
  }

  private mutating func unknown(
    _ tag: UInt32, _ cursor: inout WireCursor, _ depth: Int
  ) throws(DecodeError) {
    isRegular = false
    let before = cursor.remaining
    try cursor.skipValue(tag: tag, depth: depth)
    // For the rewritten bytes, the arena's copy and the Swift array.
    memory &+= 3 &* (before - cursor.remaining) &+ 16
  }
}
