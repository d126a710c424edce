/// The connectivity state of a channel, aggregated over its backends.
/// Source: gRPC's connectivity-semantics-and-api document.
public enum Connectivity: Sendable, Hashable {
  /// No connection, and none was wanted lately.
  case idle
  /// No connection yet, but an attempt is under way that calls wait for.
  case connecting
  /// Calls can be sent.
  case ready
  /// The last attempts failed: calls fail at once, unless they wait for readiness.
  case transientFailure
  /// The channel was shut down.
  case shutdown

  /// What one backend contributes. Of several, the best counts.
  init(_ backends: some Sequence<Connectivity>) {
    let all = Set(backends)
    self = [.ready, .connecting, .idle, .transientFailure].first { all.contains($0) } ?? .idle
  }
}
