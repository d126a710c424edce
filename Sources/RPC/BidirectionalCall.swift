/// A call that streams in both directions. Releasing it and its `responses` cancels the call.
public struct BidirectionalCall<Input: WireMessage, Output: WireMessage>: Sendable {
  let call: ClientCall

  /// The response messages, for one consumer, which may be another task than the sender.
  public var responses: ResponseStream<Output> { ResponseStream(call: call) }

  /// Sends one message; suspends while the outbound buffer is full.
  /// - Parameter compressed: False sends this message uncompressed, whatever the options'
  ///   `compression`.
  /// - Throws: `RPCError`, with the server's status if it has ended the call.
  public func send(_ message: Input, compressed: Bool = true) async throws {
    try await call.send(message, compressed: compressed)
  }

  /// Half-closes the call: ends the stream of requests, while responses continue.
  public func finishSending() async throws { await call.finishSending() }

  /// Cancels the call. Safe to call from any task.
  public func cancel() { call.cancel() }
}
