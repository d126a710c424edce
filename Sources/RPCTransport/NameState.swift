/// The resolution state of a name. A pure value: no clock, no resolver.
struct NameState: Sendable, Hashable {
  enum Phase: Sendable, Hashable, CaseIterable {
    /// An address, which needs no resolution.
    case fixed
    case unknown, resolving, resolved
    /// The last resolution failed; the next one waits for the backoff.
    case failed
  }

  enum Input: Sendable, Hashable, CaseIterable {
    /// A call needs a connection.
    case wanted
    /// A connection failed or was lost, and the last resolution is old enough to be repeated.
    case doubted
    case resolved
    case failed
    /// The backoff after a failed resolution has elapsed.
    case waited
  }

  enum Action: Sendable, Hashable { case none, resolve, wait }

  private(set) var phase: Phase
  /// Whether the last resolution failed: then calls do not wait for the next one, either.
  private(set) var hasFailed = false

  /// Whether calls should wait, because an outcome is near.
  var isPending: Bool { phase == .resolving && !hasFailed }

  init(isAddress: Bool) { phase = isAddress ? .fixed : .unknown }

  mutating func apply(_ input: Input) -> Action {
    switch (phase, input) {
    case (.unknown, .wanted), (.resolved, .doubted), (.failed, .waited):
      phase = .resolving
      return .resolve
    case (.resolving, .resolved):
      phase = .resolved
      hasFailed = false
      return .none
    case (.resolving, .failed):
      phase = .failed
      hasFailed = true
      return .wait
    default: return .none
    }
  }
}
