/// Sees the calls of a client and their attempts, for metrics. Costs nothing where there is none.
///
/// Everything is called in passing, on any thread: it must not block.
public protocol ClientObserver: Sendable {
  /// A call begins, before anything of it is sent.
  func callStarted(_ method: MethodDescriptor) -> any ClientCallObserver
}

/// Sees one call: its attempts (more than one when it is retried or hedged) and its end.
public protocol ClientCallObserver: Sendable {
  /// An attempt begins; they count from 1. It is sent with that metadata, which may be added to.
  func attemptStarted(_ attempt: Int, metadata: inout Metadata)
  /// An attempt is over. Attempts may overlap, and end after the call.
  func attemptEnded(_ attempt: Int, _ outcome: AttemptOutcome)
  /// The call is over for its caller, once. Nil is OK.
  func callEnded(_ error: RPCError?)
}

/// How an attempt ended.
public struct AttemptOutcome: Sendable, Hashable {
  /// Nil is OK.
  public var error: RPCError?
  /// Bytes of messages as on the wire: compressed, without their prefixes.
  public var sentBytes: Int
  public var receivedBytes: Int

  public init(error: RPCError?, sentBytes: Int, receivedBytes: Int) {
    self.error = error
    self.sentBytes = sentBytes
    self.receivedBytes = receivedBytes
  }
}
