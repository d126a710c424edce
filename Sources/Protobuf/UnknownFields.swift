/// The fields of a message that the contract did not have at build time: a sequence of complete
/// fields in wire format, as received. Encoding appends them to the known ones.
///
/// Custom options (`extend google.protobuf.MethodOptions`) are stored here too; read them by
/// number.
public struct UnknownFields: Sendable, Hashable {
  /// Complete fields, each with its tag.
  public private(set) var bytes: [UInt8] = []

  /// Creates an empty set.
  public init() {}

  /// Creates unknown fields from complete fields.
  /// - Throws: ``DecodeError`` if `bytes` are not a sequence of these.
  public init(bytes: [UInt8]) throws {
    try self.init(checking: bytes)
  }

  /// Creates unknown fields from bytes that the wire check has passed.
  init(checked bytes: [UInt8]) { self.bytes = bytes }

  private init(checking bytes: [UInt8]) throws(DecodeError) {
    try UnknownFields.walk(bytes) { (_, _) throws(DecodeError) in }
    self.bytes = bytes
  }

  /// Whether there are no fields.
  public var isEmpty: Bool { bytes.isEmpty }

  /// Returns the message in the field `number`, merged if it comes in pieces; nil if absent.
  /// - Throws: ``DecodeError``.
  public func message<M: Message>(_ type: M.Type, extension number: UInt32) throws -> M? {
    let pieces = try contents(of: number)
    return pieces.isEmpty ? nil : try M(wireBytes: Array(pieces.joined()))
  }

  /// Returns the messages in the repeated field `number`.
  /// - Throws: ``DecodeError``.
  public func messages<M: Message>(_ type: M.Type, extension number: UInt32) throws -> [M] {
    try contents(of: number).map { try M(wireBytes: $0) }
  }

  /// Returns the numbers in the field `number`, in order: integers, booleans and enums, packed or
  /// not.
  /// - Throws: ``DecodeError``.
  public func varints(extension number: UInt32) throws -> [UInt64] {
    var values: [UInt64] = []
    try UnknownFields.walk(bytes) { (tag, value) throws(DecodeError) in
      guard tag >> 3 == number else { return }
      var cursor = value
      switch tag & 7 {
      case WireType.varint: values.append(try cursor.varint())
      case WireType.length:
        var packed = try cursor.content()
        while !packed.isAtEnd { values.append(try packed.varint()) }
      default: break
      }
    }
    return values
  }

  /// Returns the contents of the length-delimited fields `number`, in order: strings, bytes,
  /// messages.
  /// - Throws: ``DecodeError``.
  public func contents(of number: UInt32) throws -> [[UInt8]] {
    var contents: [[UInt8]] = []
    try UnknownFields.walk(bytes) { (tag, value) throws(DecodeError) in
      guard tag == number << 3 | WireType.length else { return }
      var cursor = value
      let content = try cursor.content()
      contents.append(
        unsafe Array(UnsafeBufferPointer(start: content.at, count: content.remaining)))
    }
    return contents
  }

  /// Calls `body` with each field's tag and a cursor at its value, which is valid during the call.
  private static func walk(
    _ bytes: [UInt8], _ body: (UInt32, WireCursor) throws(DecodeError) -> Void
  ) throws(DecodeError) {
    let depth = DecodeLimits.standard.depth
    unsafe try bytes.withUnsafeBufferPointer { (buffer) throws(DecodeError) in
      var cursor = unsafe WireCursor(buffer)
      while !cursor.isAtEnd {
        let tag = try cursor.tag()
        try body(tag, cursor)
        try cursor.skipValue(tag: tag, depth: depth)
      }
    }
  }
}
