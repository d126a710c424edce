/// Sends the responses of a streaming handler. Safe to use from any task of the handler.
public struct ResponseWriter<Message: WireMessage>: Sendable {
  @usableFromInline let call: ServerCall

  @usableFromInline init(call: ServerCall) { self.call = call }

  /// Sends the initial metadata at once, for a caller that waits for it, instead of with the first
  /// message. It commits the client to this attempt, so the call is not retried afterwards.
  @inlinable public func sendHeaders() async { await call.sendHead() }

  /// Sends one message; suspends while the outbound buffer is full.
  /// - Parameter compressed: False sends this message uncompressed, whatever the context's
  ///   `responseCompression`.
  /// - Throws: `RPCError` when the call has ended or the message cannot be encoded.
  @inlinable public func send(_ message: Message, compressed: Bool = true) async throws {
    try await call.send(try MessageFramer.frame(message), compressed: compressed)
  }
}
