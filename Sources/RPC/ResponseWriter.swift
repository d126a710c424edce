/// Where a streaming handler sends its responses. Safe to use from any task of the handler.
public struct ResponseWriter<Message: WireMessage>: Sendable {
  @usableFromInline let call: ServerCall

  @usableFromInline init(call: ServerCall) { self.call = call }

  /// Sends the initial metadata now, for a caller that waits for it; else it goes with the first
  /// message. A call that has it is not tried again by its client.
  @inlinable public func sendHeaders() async { await call.sendHead() }

  /// Sends one message; suspends while the outbound buffer is full.
  /// - Parameter compressed: false leaves this message out of the context's `responseCompression`.
  /// - Throws: `RPCError` when the call has ended or the message cannot be encoded.
  @inlinable public func send(_ message: Message, compressed: Bool = true) async throws {
    try await call.send(try MessageFramer.frame(message), compressed: compressed)
  }
}
