/// The state of a channel's connections to one backend, for operators and monitoring.
public struct BackendStanding: Sendable, Hashable {
  /// The state of a backend as operators see it.
  public enum State: String, Sendable, Hashable {
    /// Connected and healthy: calls are routed to it.
    case ready
    /// A connection attempt or a health check is in progress.
    case connecting
    /// Not connected, because no call needs a connection at the moment.
    case idle
    /// Not reachable; connecting is retried with backoff.
    case failing
    /// Connected, but its health service reports that it does not serve.
    case notServing = "not serving"
    /// Ejected by outlier detection for a while, because its calls failed.
    case ejected
  }

  /// The socket address: `127.0.0.1:7101`.
  public var address: String
  /// The state of the connections.
  public var state: State
  /// Calls in flight, health checks included.
  public var calls: Int
  /// The last error, if something is wrong.
  public var error: String?

  /// Creates the standing of the backend at an address, with `calls` in flight.
  public init(address: String, state: State, calls: Int, error: String? = nil) {
    self.address = address
    self.state = state
    self.calls = calls
    self.error = error
  }

  /// Whether calls are routed to it.
  public var isReady: Bool { state == .ready }

  /// The state, the calls and the error in one line.
  public var text: String {
    "\(state.rawValue), \(calls) calls\(error.map { " (\($0))" } ?? "")"
  }
}

/// A channel that reports the state of its backends. Safe to use from any thread.
public protocol WatchedChannel: Channel {
  /// The state of each known backend, in the order of the targets.
  var standings: [BackendStanding] { get }

  /// Starts to connect, so that the first call need not wait for a connection. Returns at once.
  func connect()
}
