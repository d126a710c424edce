/// The connection state of one backend of a client. A pure value: no clock, no socket.
struct SubchannelState: Sendable, Hashable {
  enum Phase: Sendable, Hashable, CaseIterable {
    case idle, connecting, ready, backoff
    /// Not connected; an attempt follows after a pause, or at once when a call needs it.
    case resting
    case stopped
  }

  enum Input: Sendable, Hashable, CaseIterable {
    /// A call needs a connection.
    case wanted
    /// The backend's SETTINGS have arrived.
    case connected
    /// An attempt failed.
    case failed
    /// A connection that had worked for a while was lost with calls in flight, or takes no new
    /// ones.
    case lost
    /// The same without calls in flight.
    case lostIdle
    /// A connection was lost soon after it was made.
    case lostAtOnce
    /// The backoff between attempts has elapsed.
    case waited
    /// The pause after the loss of an idle connection has elapsed.
    case rested
    /// The connection is no longer needed.
    case released
    case stop
  }

  enum Action: Sendable, Hashable {
    case none, connect
    /// Apply `waited` after the backoff.
    case wait
    /// Apply `rested` after the backoff.
    case rest
  }

  private(set) var phase = Phase.idle
  /// Whether the last attempt failed: then calls that do not wait for readiness fail at once.
  private(set) var hasFailed = false

  /// Whether calls should wait, because an outcome is near.
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
    case (.idle, .wanted), (.backoff, .waited), (.ready, .lost), (.resting, .wanted),
      (.resting, .rested):
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
    case (.ready, .lostIdle):
      // A server at its limit of connections closes idle ones. If their clients came back at once,
      // they would displace each other as fast as they can.
      phase = .resting
      return .rest
    case (.ready, .lostAtOnce):
      // It worked, so calls may wait for the next attempt, which the backoff delays.
      phase = .backoff
      return .wait
    default: return .none
    }
  }
}
