internal import Glibc
internal import Storage

/// A place for one connection, which is made again when it is lost.
struct ConnectionSlot {
  enum State {
    case down(until: ContinuousClock.Instant)
    case connecting
    case writing(WriteLine)
    case reading(ReadLine)
  }

  var state: State
  /// Before the next attempt to connect.
  var pause = Duration.zero
  /// Made so far: tells one from those before it.
  var connections = 0
  /// What is being connected now must not serve: it may show what no standby has.
  var isOutdated = false
  /// Another connection looks whether the server still works for this one.
  var isExamined = false

  var isUp: Bool {
    switch state {
    case .writing, .reading: true
    case .down, .connecting: false
    }
  }

  /// Nothing asked for it yet: no timer waits for it.
  var isUnused: Bool {
    if case .down = state { pause == .zero } else { false }
  }

  /// A call on it failed.
  var isLost: Bool {
    switch state {
    case .writing(let line): line.pipeline.isLost
    case .reading(let line): line.pipeline.isLost
    case .down, .connecting: false
    }
  }

  /// How long the server owes an answer and gives none.
  func silence(at now: ContinuousClock.Instant) -> Duration? {
    switch state {
    case .writing(let line): line.pipeline.silence(at: now)
    case .reading(let line): line.pipeline.silence(at: now)
    case .down, .connecting: nil
    }
  }

  /// Where its connection leads.
  var place: PostgresLink.Place? {
    switch state {
    case .writing(let line): line.pipeline.link.place
    case .reading(let line): line.pipeline.link.place
    case .down, .connecting: nil
    }
  }

  /// What to wait for; a negative descriptor is passed over.
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
  /// A lost connection is ready at once, so that it is noticed.
  var poll: pollfd {
    pollfd(
      fd: link.socket, events: Int16(isSending ? POLLIN | POLLOUT : POLLIN), revents: 0)
  }
}
