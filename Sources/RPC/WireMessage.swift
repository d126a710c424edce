/// A value that is one message on the wire. Generated messages conform.
public protocol WireMessage: Sendable {
  /// Decodes one message.
  /// - Throws: on malformed or over-budget input.
  init(wire bytes: RawSpan) throws

  /// Encodes; the result starts with `headroom` zero bytes (room for the gRPC prefix), followed by
  /// the message. One allocation.
  func wireBytes(headroom: Int) throws -> [UInt8]
}
