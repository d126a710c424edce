public import RPC

/// A protobuf message as a Swift value. Generated types conform; nothing else should.
///
/// Encoding is deterministic: fields by number, map entries by key (``MapOrder``), then the unknown
/// fields as they came. It is byte for byte what Google's Python calls deterministic serialization.
public protocol Message: WireMessage, Hashable {
  /// `package.Name`, with the names of enclosing messages.
  static var fullName: String { get }

  /// The message with no field set.
  init()

  /// Decodes one message.
  /// - Throws: ``DecodeError``.
  init(wire bytes: RawSpan, limits: DecodeLimits) throws

  /// Fields that the contract did not know when this was built, kept for whoever does.
  var unknownFields: UnknownFields { get set }
}

extension Message {
  /// Decodes one message within ``DecodeLimits/standard``.
  /// - Throws: ``DecodeError``.
  @inlinable public init(wire bytes: RawSpan) throws {
    try self.init(wire: bytes, limits: .standard)
  }

  /// Decodes one message.
  /// - Throws: ``DecodeError``.
  public init(wireBytes bytes: [UInt8], limits: DecodeLimits = .standard) throws {
    // The span borrows the array for the time of the call.
    try unsafe self.init(wire: bytes.span.bytes, limits: limits)
  }

  /// Encodes the message.
  /// - Throws: ``EncodeError``.
  public func wireBytes() throws -> [UInt8] { try wireBytes(headroom: 0) }

  /// A message with the fields that `body` sets.
  public static func with<Failure: Error>(
    _ body: (inout Self) throws(Failure) -> Void
  ) throws(Failure) -> Self {
    var message = Self()
    try body(&message)
    return message
  }
}

/// A protobuf enum: open, so that a number of a later contract is kept.
public protocol Enumeration: Sendable, Hashable, CaseIterable, CustomStringConvertible {
  /// The first value, which proto3 numbers 0.
  init()
  init(rawValue: Int32)
  /// The number on the wire.
  var rawValue: Int32 { get }
  /// The value's name in the contract; nil for a number it does not know.
  var protoName: String? { get }
}

extension Enumeration {
  /// The name in the contract, or the number.
  public var description: String { protoName ?? String(rawValue) }
}

/// Holds a message behind a reference: where it is recursive, or too large to lie within another.
public final class Box<Value: Sendable & Hashable>: Sendable, Hashable {
  /// The message.
  public let value: Value

  public init(_ value: Value) { self.value = value }

  public static func == (a: Box, b: Box) -> Bool { a === b || a.value == b.value }
  public func hash(into hasher: inout Hasher) { hasher.combine(value) }
}
