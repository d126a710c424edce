/// A call with a stream of requests and a single response. Releasing it cancels the call.
public struct ClientStreamingCall<Input: WireMessage, Output: WireMessage>: Sendable {
  let call: ClientCall

  /// Sends one message; suspends while the outbound buffer is full.
  /// - Parameter compressed: False sends this message uncompressed, whatever the options'
  ///   `compression`.
  /// - Throws: `RPCError`, with the server's status if it has ended the call.
  public func send(_ message: Input, compressed: Bool = true) async throws {
    try await call.send(message, compressed: compressed)
  }

  /// Half-closes the call and waits for the response.
  /// - Throws: `RPCError`.
  public func finish() async throws -> ClientResponse<Output> {
    await call.finishSending()
    var response: ClientResponse<Output>?
    _ = try await call.collect { response = try ClientResponse($0) }
    guard let response else { throw RPCError(.internalError, "the response was not taken") }
    return response
  }

  /// Cancels the call. Safe to call from any task.
  public func cancel() { call.cancel() }
}
