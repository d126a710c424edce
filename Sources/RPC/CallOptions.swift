/// What a caller may say about one call.
public struct CallOptions: Sendable {
  /// Sent with the request.
  public var metadata: Metadata = [:]
  /// How long the call may take from its start; the earlier of this and `deadline` holds.
  public var timeout: Duration?
  public var deadline: Deadline?
  /// Wait for a connection until the deadline instead of failing at once when there is none; nil
  /// is as the service config says, else false.
  public var waitForReady: Bool?
  /// How the request's messages are compressed; nil is not at all. A server that does not know it
  /// answers UNIMPLEMENTED. Implies `acceptsCompression`.
  public var compression: MessageEncoding?
  /// Tells the server that it may compress its messages; whether it does is its choice.
  public var acceptsCompression = false
  /// The largest message that is received; nil is as the service config says, else 4 MiB, gRPC's
  /// usual default. The smaller holds.
  public var messageBytesMax: Int?
  /// The largest message that is sent, before compression; nil is as the service config says, else
  /// without limit. The smaller holds.
  public var requestBytesMax: Int?

  public init() {}
}
