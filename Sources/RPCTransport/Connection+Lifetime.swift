import HTTP2
import NIOCore
import RPC
import Synchronization

// What a server does to its connections as time goes by.
extension Connection {
  /// The number of our keepalive pings; 0 is the drain's.
  private static let keepalivePing: UInt64 = 1

  /// Begins to watch the connection; servers only.
  func watch(_ lifetime: ConnectionLifetime, jitter: Double) {
    let now = NIODeadline.now().uptimeNanoseconds
    lastRead = now
    self.lifetime = LifetimeState(lifetime, now: now, jitter: jitter)
    wake()
  }

  private func wake() {
    guard !isClosed, lifetime != nil else { return }
    let now = NIODeadline.now().uptimeNanoseconds
    let facts = LifetimeState.Facts(
      now: now, lastRead: lastRead, isBusy: session.openStreams > 0 || runningHandlers > 0,
      isDraining: draining != .no)
    guard let (actions, next) = lifetime?.due(facts) else { return }
    for action in actions {
      switch action {
      case .ping:
        session.submitPing(Self.keepalivePing)
        markDirty()
      case .sweep:
        session.resetStalledStreams()
        markDirty()
      case .drain: drain()
      case .close(let reason): close(reason)
      }
    }
    guard !isClosed else { return }
    let delay = Duration.nanoseconds(Int64(clamping: next > now ? next - now : 1))
    lifetimeTimer = executor.schedule(after: delay) { [self] in wake() }
  }

  /// After a read: a field block, or the head of a frame, must not take its time to arrive.
  func watchHeaders() {
    guard session.isAwaitingHeaders != (headersTimer != nil) else { return }
    if let timer = headersTimer {
      timer.cancel()
      headersTimer = nil
    } else if isReady {
      headersTimer = executor.schedule(after: limits.headersMax) { [self] in
        guard !isClosed else { return }
        session.terminate(.enhanceYourCalm, "headers take too long")
        fail("headers took longer than \(limits.headersMax)")
      }
    }
  }

  /// Takes an idle connection for `makeRoom`, once. From any thread.
  func isTakenWhenIdle() -> Bool {
    idleFlag.compareExchange(expected: true, desired: false, ordering: .relaxed).exchanged
  }

  /// Another connection takes this one's place, unless a call has begun meanwhile.
  func makeRoom() {
    guard !isClosed, runningHandlers == 0 else { return }
    session.submitGoAway()
    fail("another connection took its place")
  }

  /// The peer must take note of our settings. Source: RFC 9113, section 6.5.3.
  func settingsTimedOut() {
    session.terminate(.settingsTimeout, "SETTINGS were not acknowledged")
    fail("the peer did not acknowledge SETTINGS within \(limits.handshakeMax)")
  }
}
