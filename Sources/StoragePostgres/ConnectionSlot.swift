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
