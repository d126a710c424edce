/// The state of a channel's connections to one backend, for operators and monitoring.
public struct BackendStanding: Sendable, Hashable {
  /// What it is doing.
  public enum State: String, Sendable, Hashable {
    /// Calls go there.
    case ready
    /// A connection, or the answer to a health check, is under way.
    case connecting
    /// Nobody asked for a connection.
    case idle
    /// It cannot be reached; it is tried again.
    case failing
    /// It is connected, and says that it does not serve.
    case notServing = "not serving"
    /// It is left out for a while, for its calls failed.
    case ejected
  }

  /// As connected to: `127.0.0.1:7101`.
  public var address: String
  public var state: State
  /// Under way, health checks included.
  public var calls: Int
  /// What went wrong last, where something is wrong.
  public var error: String?

  public init(address: String, state: State, calls: Int, error: String? = nil) {
    self.address = address
    self.state = state
    self.calls = calls
    self.error = error
  }

  /// Whether calls go there.
  public var isReady: Bool { state == .ready }

  /// In one line.
  public var text: String {
    "\(state.rawValue), \(calls) calls\(error.map { " (\($0))" } ?? "")"
  }
}

/// A channel that says how it stands with its backends. Safe to ask from any thread.
public protocol WatchedChannel: Channel {
  /// Of each backend that is known, in the order of the targets.
  var standings: [BackendStanding] { get }

  /// Connects, so that the first call need not wait for it; returns at once.
  func connect()
}
