/// What is known of the addresses of a name. A pure value: no clock, no resolver.
struct NameState: Sendable, Hashable {
  enum Phase: Sendable, Hashable, CaseIterable {
    /// An address, which stands for itself.
    case fixed
    case unknown, resolving, resolved
    /// The last lookup failed; the next waits.
    case failed
  }

  enum Input: Sendable, Hashable, CaseIterable {
    /// A call wants a connection.
    case wanted
    /// A connection is lost, or could not be made; the last lookup is old enough to be repeated.
    case doubted
    case resolved
    case failed
    /// The wait after a failed lookup is over.
    case waited
  }

  enum Action: Sendable, Hashable { case none, resolve, wait }

  private(set) var phase: Phase

  init(isAddress: Bool) { phase = isAddress ? .fixed : .unknown }

  mutating func apply(_ input: Input) -> Action {
    switch (phase, input) {
    case (.unknown, .wanted), (.resolved, .doubted), (.failed, .waited):
      phase = .resolving
      return .resolve
    case (.resolving, .resolved):
      phase = .resolved
      return .none
    case (.resolving, .failed):
      phase = .failed
      return .wait
    default: return .none
    }
  }
}
