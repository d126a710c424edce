import HTTP2
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import RPC
import Synchronization

/// One backend of a client: connects to it, watches its health, and says whether it can be used.
final class Subchannel: ConnectionOwner {
  enum Health: Sendable { case unknown, serving, notServing }

  struct State {
    var machine = SubchannelState()
    var backoff = Backoff()
    var connection: Connection?
    var readySince: ContinuousClock.Instant?
    var health = Health.unknown
    var lastError: String?

    /// The connection, if calls may go there.
    var usable: Connection? {
      machine.phase == .ready && health == .serving ? connection : nil
    }

    var isPending: Bool {
      machine.isPending || (machine.phase == .ready && health == .unknown)
    }
  }

  /// A connection that ends sooner than this counts as a failed attempt.
  private static let shortest: Duration = .seconds(1)

  let target: HostPort
  let state = Mutex(State())
  private weak let channel: ClientChannel?

  init(target: HostPort, channel: ClientChannel) {
    self.target = target
    self.channel = channel
  }

  /// What `:authority` says by default.
  var authority: String { target.description }

  // MARK: - Connecting

  /// Begins an attempt; its outcome comes as an event.
  func connect() {
    guard let channel else { return }
    let executor = channel.loops.next()
    let connection: Connection
    do {
      connection = try makeConnection(channel, executor)
    } catch {
      return attemptFailed("\(error)")
    }
    let isTaken = channel.state.withLock { state in
      if state.isStopped { return false }
      state.connections[ObjectIdentifier(connection)] = connection
      return true
    }
    guard isTaken else {
      executor.execute { connection.close("the channel is shut down") }
      return
    }
    let configuration = channel.configuration
    let tls = channel.tls
    let name = configuration.tls?.hostname(for: target)
    ClientBootstrap(group: executor.eventLoop)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
      .connectTimeout(TimeAmount(configuration.connectMax))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let tls {
            try channel.pipeline.syncOperations.addHandler(
              NIOSSLClientHandler(context: tls, serverHostname: name.flatMap(Self.sni)))
          }
          try channel.pipeline.syncOperations.addHandler(connection)
        }
      }
      .connect(host: target.host, port: target.port)
      .whenFailure { error in
        executor.execute { connection.close("\(error)") }
      }
  }

  private func makeConnection(
    _ channel: ClientChannel, _ executor: LoopExecutor
  ) throws -> Connection {
    var limits = channel.configuration.limits
    limits.handshakeMax = channel.configuration.connectMax
    var refusePeer: (@Sendable (Peer) -> String?)?
    if case .uri(let uri)? = channel.configuration.tls?.serverName {
      refusePeer = { peer in
        peer.certificateURIs.contains(uri) ? nil : "the server's certificate is not for \(uri)"
      }
    }
    return try Connection(
      .client, executor: executor, limits: limits, isTLS: channel.tls != nil, dispatcher: nil,
      owner: self, logger: channel.logger, refusePeer: refusePeer)
  }

  /// A name for SNI; addresses are not allowed there.
  private static func sni(_ host: String) -> String? {
    (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
  }

  func stop() {
    state.withLock {
      _ = $0.machine.apply(.stop)
      $0.connection = nil
    }
  }

  private func attemptFailed(_ reason: String) {
    let (action, wait) = state.withLock { state in
      state.lastError = "\(target): \(reason)"
      return (state.machine.apply(.failed), state.backoff.next(random: .random(in: 0..<1)))
    }
    act(action, wait: wait)
  }

  private func act(_ action: SubchannelState.Action, wait: Duration) {
    switch action {
    case .none: break
    case .connect: connect()
    case .wait:
      guard let channel else { return }
      _ = channel.loops.next().schedule(after: wait) { [weak self] in
        guard let self else { return }
        if self.state.withLock({ $0.machine.apply(.waited) }) == .connect { self.connect() }
      }
    }
    channel?.changed()
  }

  // MARK: - Events of a connection

  func connectionIsReady(_ connection: Connection) {
    guard let channel else { return connection.close("the channel is gone") }
    let service = channel.configuration.healthService
    state.withLock { state in
      _ = state.machine.apply(.connected)
      state.backoff.reset()
      state.connection = connection
      state.readySince = .now
      state.lastError = nil
      state.health = service == nil ? .serving : .unknown
    }
    channel.changed()
    if let service { HealthWatch.start(service, on: connection, of: self) }
  }

  func healthChanged(_ connection: Connection, _ health: Health) {
    state.withLock { state in
      guard state.connection === connection else { return }
      state.health = health
      state.lastError = health == .notServing ? "\(target): the backend is not serving" : nil
    }
    channel?.changed()
  }

  func connectionIsGoingAway(_ connection: Connection) {
    leave(connection, reason: "the server is going away")
    connection.markDirty()
  }

  func connectionClosed(_ connection: Connection, reason: String) {
    channel?.state.withLock { $0.connections[ObjectIdentifier(connection)] = nil }
    if connection.isReady {
      leave(connection, reason: reason)
    } else {
      attemptFailed(reason)
    }
  }

  /// Takes no new calls there; connects anew.
  private func leave(_ connection: Connection, reason: String) {
    let (action, wait) = state.withLock { state -> (SubchannelState.Action, Duration) in
      guard state.connection === connection else { return (.none, .zero) }
      state.connection = nil
      state.health = .unknown
      state.lastError = "\(target): \(reason)"
      let age = state.readySince.map { $0.duration(to: .now) } ?? .zero
      let action = state.machine.apply(age < Self.shortest ? .lostAtOnce : .lost)
      return (action, action == .wait ? state.backoff.next(random: .random(in: 0..<1)) : .zero)
    }
    act(action, wait: wait)
  }
}
