/// Observes the calls of a client and their attempts, for metrics. A channel without an observer
/// has no overhead.
///
/// All functions are called inline, on any thread, and must not block.
public protocol ClientObserver: Sendable {
  /// Called when a call begins, before anything of it is sent.
  func callStarted(_ method: MethodDescriptor) -> any ClientCallObserver
}

/// Observes one call: its attempts (several if it is retried or hedged) and its end.
public protocol ClientCallObserver: Sendable {
  /// Called when an attempt begins; they are numbered from 1. `metadata` is sent with it and may be
  /// extended.
  func attemptStarted(_ attempt: Int, metadata: inout Metadata)
  /// Called when an attempt ends. Attempts may overlap, and may end after the call.
  func attemptEnded(_ attempt: Int, _ outcome: AttemptOutcome)
  /// Called once, when the call ends for its caller. A nil error is OK.
  func callEnded(_ error: RPCError?)
}

/// The outcome of an attempt.
public struct AttemptOutcome: Sendable, Hashable {
  /// The status; nil is OK.
  public var error: RPCError?
  /// Bytes of the messages sent, as on the wire: compressed, without their prefixes.
  public var sentBytes: Int
  /// Bytes of the messages received, counted likewise.
  public var receivedBytes: Int

  /// Creates the outcome of an attempt; a nil error is OK.
  public init(error: RPCError?, sentBytes: Int, receivedBytes: Int) {
    self.error = error
    self.sentBytes = sentBytes
    self.receivedBytes = receivedBytes
  }
}
