/// How a client stands with one of its backends. A pure value: no clock, no socket.
struct SubchannelState: Sendable, Hashable {
  enum Phase: Sendable, Hashable, CaseIterable { case idle, connecting, ready, backoff, stopped }

  enum Input: Sendable, Hashable, CaseIterable {
    /// A call wants a connection.
    case wanted
    /// The backend's settings have arrived.
    case connected
    /// An attempt came to nothing.
    case failed
    /// A connection that had worked for a while is gone, or takes no new calls.
    case lost
    /// A connection is gone that had hardly begun.
    case lostAtOnce
    /// The wait between attempts is over.
    case waited
    /// No connection is wanted any more.
    case released
    case stop
  }

  enum Action: Sendable, Hashable { case none, connect, wait }

  private(set) var phase = Phase.idle
  /// The last attempt failed: calls that do not wait for readiness fail at once.
  private(set) var hasFailed = false

  /// Whether an outcome is near that calls should wait for.
  var isPending: Bool { (phase == .connecting || phase == .backoff) && !hasFailed }

  mutating func apply(_ input: Input) -> Action {
    switch (phase, input) {
    case (.stopped, _): return .none
    case (_, .stop):
      phase = .stopped
      return .none
    case (_, .released):
      phase = .idle
      hasFailed = false
      return .none
    case (.idle, .wanted), (.backoff, .waited), (.ready, .lost):
      phase = .connecting
      return .connect
    case (.connecting, .connected):
      phase = .ready
      hasFailed = false
      return .none
    case (.connecting, .failed), (.connecting, .lost), (.connecting, .lostAtOnce):
      phase = .backoff
      hasFailed = true
      return .wait
    case (.ready, .lostAtOnce):
      // It worked, so calls may wait for the next one, which comes at a pace.
      phase = .backoff
      return .wait
    default: return .none
    }
  }
}
