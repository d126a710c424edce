public import RPC

/// A protobuf message as a Swift value. Generated types conform; nothing else should.
///
/// Encoding is deterministic: fields by number, map entries by key (``MapOrder``), then the unknown
/// fields in the order received. It is byte for byte the deterministic serialization of Google's
/// Python.
public protocol Message: WireMessage, Hashable {
  /// The full name, `package.Name`, with the names of enclosing messages.
  static var fullName: String { get }

  /// Creates a message with no field set.
  init()

  /// Decodes one message.
  /// - Throws: ``DecodeError``.
  init(wire bytes: RawSpan, limits: DecodeLimits) throws

  /// The fields that the contract did not have at build time, kept for whoever knows them.
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

  /// Returns a message with the fields that `body` sets.
  public static func with<Failure: Error>(
    _ body: (inout Self) throws(Failure) -> Void
  ) throws(Failure) -> Self {
    var message = Self()
    try body(&message)
    return message
  }
}

/// A protobuf enum. It is open, so that a number of a later contract is kept.
public protocol Enumeration: Sendable, Hashable, CaseIterable, CustomStringConvertible {
  /// Creates the first value, which proto3 numbers 0.
  init()
  /// Creates the value of a number, which the contract need not know.
  init(rawValue: Int32)
  /// The number on the wire.
  var rawValue: Int32 { get }
  /// The value's name in the contract; nil for an unknown number.
  var protoName: String? { get }
}

extension Enumeration {
  /// The name in the contract, or the number.
  public var description: String { protoName ?? String(rawValue) }
}

/// Stores a message behind a reference, because it is recursive or too large to be stored inline.
public final class Box<Value: Sendable & Hashable>: Sendable, Hashable {
  /// The message.
  public let value: Value

  /// Puts a message behind a reference.
  public init(_ value: Value) { self.value = value }

  /// Returns whether both messages are equal.
  public static func == (a: Box, b: Box) -> Bool { a === b || a.value == b.value }
  /// Hashes the message.
  public func hash(into hasher: inout Hasher) { hasher.combine(value) }
}
