/// A call that streams requests and gets one response. Dropping it cancels the call.
public struct ClientStreamingCall<Input: WireMessage, Output: WireMessage>: Sendable {
  let call: ClientCall

  /// Sends one message; suspends while the outbound buffer is full.
  /// - Parameter compressed: false leaves this message out of the options' `compression`.
  /// - Throws: `RPCError`; the server's status when it ended the call.
  public func send(_ message: Input, compressed: Bool = true) async throws {
    try await call.send(message, compressed: compressed)
  }

  /// Ends the stream of requests and waits for the response.
  /// - Throws: `RPCError`.
  public func finish() async throws -> ClientResponse<Output> {
    await call.finishSending()
    var response: ClientResponse<Output>?
    _ = try await call.collect { response = try ClientResponse($0) }
    guard let response else { throw RPCError(.internalError, "the response was not taken") }
    return response
  }

  /// Gives the call up. From any task.
  public func cancel() { call.cancel() }
}
