import HTTP2
import NIOCore
import RPC
import Synchronization

// The timeouts and the end of a server's connections.
extension Connection {
  /// The payload of keepalive pings; 0 is that of the drain.
  private static let keepalivePing: UInt64 = 1

  /// Starts to watch the connection; servers only.
  func watch(_ lifetime: ConnectionLifetime, jitter: Double) {
    let now = NIODeadline.now().uptimeNanoseconds
    lastRead = now
    self.lifetime = LifetimeState(lifetime, now: now, jitter: jitter)
    wake()
  }

  private func wake(after passed: Duration = .zero) {
    guard !isClosed, lifetime != nil else { return }
    lifetimeTimer?.cancel()
    let now = NIODeadline.now().uptimeNanoseconds &+ passed.wholeNanoseconds
    let facts = LifetimeState.Facts(
      now: now, lastRead: lastRead, isBusy: session.openStreams > 0 || runningHandlers > 0,
      callsBegun: session.streamsOpened, isDraining: draining != .no)
    guard let (actions, next) = lifetime?.due(facts) else { return }
    for action in actions {
      switch action {
      case .ping:
        session.submitPing(Self.keepalivePing)
        markDirty()
      case .sweep:
        session.resetStalledStreams()
        markDirty()
      case .sweepRequests:
        for exchange in exchanges { exchange?.sweep() }
      case .drain(let reason):
        drainReason = reason
        drain()
      case .close(let reason): close(reason)
      }
    }
    guard !isClosed else { return }
    let delay = Duration.nanoseconds(Int64(clamping: next > now ? next - now : 1))
    lifetimeTimer = executor.schedule(after: delay) { [self] in wake() }
  }

  /// Starts or ends the time limit for a field block or frame header; called after each read.
  func watchHeaders() {
    guard session.isAwaitingHeaders != (headersTimer != nil) else { return }
    if let timer = headersTimer {
      timer.cancel()
      headersTimer = nil
    } else if isReady {
      giveTimeForHeaders()
    }
  }

  private func giveTimeForHeaders() {
    awaitedFrame = session.awaitedFrame
    headersTimer = executor.schedule(after: limits.headersMax) { [self] in headersTimedOut() }
  }

  private func headersTimedOut() {
    guard !isClosed else { return }
    // On a busy connection every read may end within a block, each time a different one.
    guard session.awaitedFrame == awaitedFrame else { return giveTimeForHeaders() }
    session.terminate(.enhanceYourCalm, "headers take too long")
    fail("headers took longer than \(limits.headersMax)")
  }

  /// Lets all timers run as if that much time had passed. For tests, which cannot wait.
  func timePasses(_ passed: Duration) {
    if handshakeTimer != nil, passed >= limits.handshakeMax { handshakeTimedOut() }
    if let timer = headersTimer, passed >= limits.headersMax {
      timer.cancel()
      headersTimedOut()
    }
    if draining == .announced, passed >= Self.drainPingMax { finishDraining() }
    if leaveTimer != nil, passed >= Self.cedeMax { close(Self.cededReason) }
    wake(after: passed)
    look(after: passed)
  }

  /// Closes a connection whose TLS, preface or SETTINGS acknowledgment has not arrived in time.
  func handshakeTimedOut() {
    if isReady { settingsTimedOut() } else { close("no HTTP/2 within \(limits.handshakeMax)") }
  }

  /// Claims an idle connection for `makeRoom`; succeeds once. Safe to call from any thread.
  func isTakenWhenIdle() -> Bool {
    idleFlag.compareExchange(expected: true, desired: false, ordering: .relaxed).exchanged
  }

  /// Closes the connection in favor of another one, unless a call has begun in the meantime.
  func makeRoom() {
    guard !isClosed, runningHandlers == 0 else { return }
    cede()
  }

  /// The silence of a peer, in nanoseconds, before `giveWay` may close its connection.
  static let silenceMin: UInt64 = 1_000_000_000

  /// Called when the server is at its connection limit and no connection is idle. Closes this one
  /// if all its calls still wait for their requests and the peer is silent: a client that opens
  /// calls and sends nothing must not keep others out.
  ///
  /// The calls fail and are not sent again by the runtime, as they are not above GOAWAY's last
  /// stream. Whoever sends its requests without pauses of `silenceMin` keeps its place.
  func giveWay() {
    let silence = NIODeadline.now().uptimeNanoseconds &- lastRead
    guard !isClosed, silence >= Self.silenceMin else { return }
    let calls = exchanges.lazy.compactMap { $0 }
    guard calls.count == runningHandlers, calls.allSatisfy(\.isOwedRequest) else { return }
    cede()
  }

  static let cededReason = "another connection took its place"
  /// The time for a peer to take what is written to it before it cedes its place. The other
  /// connection is there already: peers that read nothing would be more than the limit allows.
  static let cedeMax: Duration = .seconds(5)

  private func cede() {
    session.submitGoAway()
    fail(Self.cededReason)
    leaveTimer?.cancel()
    leaveTimer = executor.schedule(after: Self.cedeMax) { [self] in close(Self.cededReason) }
  }

  /// Closes a connection whose peer has not acknowledged SETTINGS. Source: RFC 9113, section 6.5.3.
  private func settingsTimedOut() {
    session.terminate(.settingsTimeout, "SETTINGS were not acknowledged")
    fail("the peer did not acknowledge SETTINGS within \(limits.handshakeMax)")
  }

  static let inputEnd = "the peer closed the connection"
  /// The time for the handlers of a client that has ended its side to answer it. Most such clients
  /// are gone, and only a write would tell.
  private static let lastAnswersMax: Duration = .seconds(1)

  /// Whether a call is running whose request has arrived.
  var owesAnswers: Bool { exchanges.contains { $0.map(\.owesAnswer) ?? false } }

  /// Closes a connection whose peer has ended its side. A client may have done so right behind its
  /// last request: it gets what the session has to say to all that was read, and the responses that
  /// can be had soon. Calls that still wait for their requests end at once.
  func inputEnded() {
    guard session.role == .server else { return close(Self.inputEnd) }
    guard !isClosed, !isInputOver else { return }
    isInputOver = true
    markDirty()
    guard owesAnswers || context?.channel.isWritable != true else { return }
    leaveTimer = executor.schedule(after: Self.lastAnswersMax) { [self] in
      close(Self.inputEnd)
    }
  }

  /// Calls that are ended together when a client disconnects. Cancelling a call takes about twenty
  /// microseconds and a client may have hundreds, so other connections have their turn in between.
  private static let endedTogetherMax = 16
  /// The time before the next calls are ended.
  private static let endingPause: Duration = .milliseconds(1)

  /// Ends the calls of a lost connection; those of a client's connection all at once.
  func end(_ lost: ArraySlice<(Exchange, CloseReason)>) {
    let first = dispatcher == nil ? lost : lost.prefix(Self.endedTogetherMax)
    for (exchange, reason) in first { exchange.closed(reason) }
    let rest = lost.dropFirst(first.count)
    guard !rest.isEmpty else { return }
    _ = executor.schedule(after: Self.endingPause) { self.end(rest) }
  }
}
