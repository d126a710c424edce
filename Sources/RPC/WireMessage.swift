/// A value that is encoded as one message. Generated messages conform.
public protocol WireMessage: Sendable {
  /// Decodes one message.
  /// - Throws: An error if the input is malformed or exceeds its budget.
  init(wire bytes: RawSpan) throws

  /// Encodes the message behind `headroom` zero bytes (room for the gRPC prefix), in one
  /// allocation.
  /// - Throws: An error if the message cannot be encoded.
  func wireBytes(headroom: Int) throws -> [UInt8]
}
