/// A call that streams both ways. Dropping it and its responses cancels the call.
public struct BidirectionalCall<Input: WireMessage, Output: WireMessage>: Sendable {
  let call: ClientCall

  /// The messages the server sends; for one consumer, which may be another task than the sender.
  public var responses: ResponseStream<Output> { ResponseStream(call: call) }

  /// Sends one message; suspends while the outbound buffer is full.
  /// - Parameter compressed: false leaves this message out of the options' `compression`.
  /// - Throws: `RPCError`; the server's status when it ended the call.
  public func send(_ message: Input, compressed: Bool = true) async throws {
    try await call.send(message, compressed: compressed)
  }

  /// Ends the stream of requests; responses go on.
  public func finishSending() async throws { await call.finishSending() }

  /// Gives the call up. From any task.
  public func cancel() { call.cancel() }
}
