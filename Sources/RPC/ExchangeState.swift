/// The state machine of an exchange: the progress of both sides. A pure value: no clock, no socket.
package struct ExchangeState: Sendable, Hashable {
  /// The progress of one side.
  package enum Side: Sendable, Hashable, CaseIterable { case awaitingHead, open, ended }

  package enum Input: Sendable, Hashable, CaseIterable {
    case localHead, localBody, localEnd, localReset
    case remoteHead, remoteBody, remoteEnd, closed
  }

  /// How to treat an input.
  package enum Verdict: Sendable, Hashable {
    /// Carry it out or pass it on.
    case proceed
    /// It comes too late: drop it silently, since that side has already ended.
    case ignore
    /// It comes too early: a programming error on the local side, a protocol violation on the
    /// remote one.
    case violation
  }

  package var local: Side
  package var remote: Side
  package var isClosed = false

  package init(local: Side, remote: Side) {
    self.local = local
    self.remote = remote
  }

  /// The initial state of a server's exchange, which begins with the request head received.
  package static let server = ExchangeState(local: .awaitingHead, remote: .open)
  /// The initial state of a client's exchange, which begins with the request head sent.
  package static let client = ExchangeState(local: .open, remote: .awaitingHead)

  package mutating func apply(_ input: Input) -> Verdict {
    if isClosed { return .ignore }
    switch input {
    case .localHead: return Self.advance(&local, from: .awaitingHead, to: .open)
    case .localBody: return check(local)
    case .localEnd: return Self.advance(&local, from: .open, to: .ended)
    case .remoteHead: return Self.advance(&remote, from: .awaitingHead, to: .open)
    case .remoteBody: return check(remote)
    case .remoteEnd: return Self.advance(&remote, from: .open, to: .ended)
    case .localReset:
      local = .ended
      remote = .ended
      return .proceed
    case .closed:
      isClosed = true
      return .proceed
    }
  }

  private func check(_ side: Side) -> Verdict {
    switch side {
    case .awaitingHead: .violation
    case .open: .proceed
    case .ended: .ignore
    }
  }

  private static func advance(_ side: inout Side, from: Side, to: Side) -> Verdict {
    if side == from {
      side = to
      return .proceed
    }
    return side == .awaitingHead ? .violation : .ignore
  }
}
