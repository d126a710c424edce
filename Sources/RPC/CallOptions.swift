/// The options of one client call.
public struct CallOptions: Sendable {
  /// Custom metadata, sent with the request.
  public var metadata: Metadata = [:]
  /// The longest time the call may take, from its start; the earlier of this and `deadline`
  /// applies.
  public var timeout: Duration?
  /// The latest end of the call; the earlier of this and `timeout` applies.
  public var deadline: Deadline?
  /// Whether to wait for a connection until the deadline instead of failing at once when there is
  /// none; nil uses the service config's setting, else false.
  public var waitForReady: Bool?
  /// The compression of the request's messages; nil does not compress them. A server that does not
  /// support it answers UNIMPLEMENTED. Implies `acceptsCompression`.
  public var compression: MessageEncoding?
  /// Whether the server may compress its messages; it may choose not to.
  public var acceptsCompression = false
  /// The largest message received, in bytes; nil uses the service config's limit, else 4 MiB,
  /// gRPC's usual default. If both limits are set, the smaller applies.
  public var messageBytesMax: Int?
  /// The largest message sent, in bytes before compression; nil uses the service config's limit,
  /// else none. If both limits are set, the smaller applies.
  public var requestBytesMax: Int?

  /// Creates options that set nothing: no deadline of its own, no metadata, no compression.
  public init() {}

  /// Creates the options of a call that a handler makes to answer its own: it inherits the
  /// deadline, a little earlier (`Deadline.shaved()`), so that its failure still reaches the
  /// caller.
  ///
  /// Cancellation needs no option: the call is made in the handler's task and is cancelled with it.
  /// Trace context is passed on by `ServerTracing` and `ClientTracing`.
  /// Source: <https://grpc.io/docs/guides/deadlines/>, deadline propagation.
  public init(within context: ServerContext) { deadline = context.deadline?.shaved() }
}
