/// Fields of a message that the contract did not know when this was built, as they came: a run of
/// complete fields in wire format. Encoding puts them after the known ones.
///
/// Custom options (`extend google.protobuf.MethodOptions`) are here too; read them by number.
public struct UnknownFields: Sendable, Hashable {
  /// Complete fields, each with its tag.
  public private(set) var bytes: [UInt8] = []

  public init() {}

  /// Takes complete fields.
  /// - Throws: ``DecodeError`` where `bytes` are no such run.
  public init(bytes: [UInt8]) throws {
    try self.init(checking: bytes)
  }

  /// Bytes that the wire check has seen.
  init(checked bytes: [UInt8]) { self.bytes = bytes }

  private init(checking bytes: [UInt8]) throws(DecodeError) {
    try UnknownFields.walk(bytes) { (_, _) throws(DecodeError) in }
    self.bytes = bytes
  }

  /// Whether there are none.
  public var isEmpty: Bool { bytes.isEmpty }

  /// The message in the field `number`, merged where it comes in pieces; nil when absent.
  /// - Throws: ``DecodeError``.
  public func message<M: Message>(_ type: M.Type, extension number: UInt32) throws -> M? {
    let pieces = try contents(of: number)
    return pieces.isEmpty ? nil : try M(wireBytes: Array(pieces.joined()))
  }

  /// The messages in the repeated field `number`.
  /// - Throws: ``DecodeError``.
  public func messages<M: Message>(_ type: M.Type, extension number: UInt32) throws -> [M] {
    try contents(of: number).map { try M(wireBytes: $0) }
  }

  /// The numbers in the field `number`: integers, booleans and enums, packed or not, in order.
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

  /// What the length-delimited fields `number` hold, in order: strings, bytes, messages.
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

  /// Calls `body` with each field's tag and a cursor at its value, which ends with the walk.
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
