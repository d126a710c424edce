internal import Glibc
internal import Storage

/// A slot for one connection, which is reconnected when lost. Confined to the engine's thread.
struct ConnectionSlot {
  enum State {
    case down(until: ContinuousClock.Instant)
    case connecting
    case writing(WriteLine)
    case reading(ReadLine)
  }

  var state: State
  /// The delay before the next connection attempt.
  var pause = Duration.zero
  /// The number of connections made so far, which identifies the current one.
  var connections = 0
  /// Whether the connection being established must be discarded, because it may read data that no
  /// standby has.
  var isOutdated = false
  /// Whether the server is being probed over another connection.
  var isExamined = false

  var isUp: Bool {
    switch state {
    case .writing, .reading: true
    case .down, .connecting: false
    }
  }

  /// Whether the slot has not been needed yet, so that no timer is required for it.
  var isUnused: Bool {
    if case .down = state { pause == .zero } else { false }
  }

  /// Whether a call on the connection failed.
  var isLost: Bool {
    switch state {
    case .writing(let line): line.pipeline.isLost
    case .reading(let line): line.pipeline.isLost
    case .down, .connecting: false
    }
  }

  /// Whether unsent data remain.
  var isSending: Bool {
    switch state {
    case .writing(let line): line.pipeline.isSending
    case .reading(let line): line.pipeline.isSending
    case .down, .connecting: false
    }
  }

  /// Returns how long the server has owed an answer; `nil` if there is no connection.
  func silence(at now: ContinuousClock.Instant) -> Duration? {
    switch state {
    case .writing(let line): line.pipeline.silence(at: now)
    case .reading(let line): line.pipeline.silence(at: now)
    case .down, .connecting: nil
    }
  }

  /// The server process of the connection.
  var place: PostgresLink.Place? {
    switch state {
    case .writing(let line): line.pipeline.link.place
    case .reading(let line): line.pipeline.link.place
    case .down, .connecting: nil
    }
  }

  /// The events to poll for; `poll` ignores a negative descriptor.
  var poll: pollfd {
    switch state {
    case .writing(let line): line.pipeline.poll
    case .reading(let line): line.pipeline.poll
    case .down, .connecting: pollfd(fd: -1, events: 0, revents: 0)
    }
  }

  func flush() {
    switch state {
    case .writing(let line): line.pipeline.flush()
    case .reading(let line): line.pipeline.flush()
    case .down, .connecting: break
    }
  }

  func close() {
    switch state {
    case .writing(let line): line.pipeline.link.close()
    case .reading(let line): line.pipeline.link.close()
    case .down, .connecting: break
    }
  }
}

extension Pipeline {
  /// The events to poll for. libpq closes the socket of a lost connection, so its descriptor is -1.
  var poll: pollfd {
    pollfd(
      fd: link.socket, events: Int16(isSending ? POLLIN | POLLOUT : POLLIN), revents: 0)
  }
}
