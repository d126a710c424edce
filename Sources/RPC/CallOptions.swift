/// What a caller may say about one call.
public struct CallOptions: Sendable {
  /// Sent with the request.
  public var metadata: Metadata = [:]
  /// How long the call may take from its start; the earlier of this and `deadline` holds.
  public var timeout: Duration?
  public var deadline: Deadline?
  /// Wait for a connection until the deadline instead of failing at once when there is none.
  public var waitForReady = false
  /// How the request's messages are compressed; nil is not at all. A server that does not know it
  /// answers UNIMPLEMENTED. Implies `acceptsCompression`.
  public var compression: MessageEncoding?
  /// Tells the server that it may compress its messages; whether it does is its choice.
  public var acceptsCompression = false
  /// The largest message that is received: 4 MiB, gRPC's usual default.
  public var messageBytesMax = 4 << 20

  public init() {}

  /// The deadline of a call that starts now.
  package var effectiveDeadline: Deadline? {
    guard let timeout else { return deadline }
    let own = Deadline.after(timeout)
    return deadline.map { min($0, own) } ?? own
  }
}
