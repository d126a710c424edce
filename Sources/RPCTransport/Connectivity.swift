/// The connectivity state of a channel, aggregated over its backends.
/// Source: gRPC's connectivity-semantics-and-api document.
public enum Connectivity: Sendable, Hashable {
  /// Not connected, and no call has needed a connection recently.
  case idle
  /// Not connected, but calls wait for an attempt that is under way.
  case connecting
  /// Calls can be sent.
  case ready
  /// The last attempts failed: calls fail at once, unless they wait for readiness.
  case transientFailure
  /// The channel was shut down.
  case shutdown

  /// Aggregates the states of backends; the best one counts.
  init(_ backends: some Sequence<Connectivity>) {
    let all = Set(backends)
    self = [.ready, .connecting, .idle, .transientFailure].first { all.contains($0) } ?? .idle
  }
}
