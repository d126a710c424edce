import HTTP2
import NIOCore
import NIOPosix
import NIOSSL
import RPC
import Synchronization

extension Subchannel {
  /// The default `:authority`. Source for sockets: gRPC's naming document.
  var authority: String { target.socketPath == nil ? target.description : "localhost" }

  /// Starts a connection attempt; its outcome arrives as an event.
  func connect() {
    guard let channel else { return }
    let executor = executor ?? channel.loops.next()
    let configuration = channel.configuration
    let limit = state.withLock { state in
      state.attempt = nil
      state.attemptedAt = .now
      return max(configuration.connectMax, state.backoff.upcoming)
    }
    let connection: Connection
    do {
      connection = try makeConnection(channel, executor, limit: limit)
    } catch {
      return attemptFailed(nil, "\(error)")
    }
    // The backend may have been released in the meantime.
    let isWanted = state.withLock { state in
      guard state.machine.phase == .connecting else { return false }
      state.attempt = connection
      state.isSlow = false
      return true
    }
    let isTaken =
      isWanted
      && channel.state.withLock { state in
        if state.isStopped { return false }
        state.connections[ObjectIdentifier(connection)] = connection
        return true
      }
    guard isTaken else {
      executor.execute { connection.close("the connection is not wanted any more") }
      return
    }
    let tls = channel.tls
    let name = configuration.tls?.hostname(for: target)
    var bootstrap = ClientBootstrap(group: executor.eventLoop)
      .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
      .connectTimeout(TimeAmount(limit))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let tls {
            try channel.pipeline.syncOperations.addHandler(
              NIOSSLClientHandler(context: tls, serverHostname: name.flatMap(ClientTLS.indicated)))
          }
          try channel.pipeline.syncOperations.addHandler(connection)
        }
      }
    if target.socketPath == nil {
      bootstrap = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
        .channelOption(.tcpOption(.userTimeout), value: configuration.limits.userTimeout)
    }
    if !configuration.usesAll {
      _ = executor.schedule(after: Self.attemptDelay) { [weak self] in
        self?.attemptLasts(connection)
      }
    }
    // On the loop, where the connection is; it may have no channel any more, but has not ended.
    bootstrap.connect(to: address).whenFailure { error in
      connection.close(ConnectionFailure.text(error))
    }
  }

  private func makeConnection(
    _ channel: ClientChannel, _ executor: LoopExecutor, limit: Duration
  ) throws -> Connection {
    var limits = channel.configuration.limits
    limits.handshakeMax = limit
    var refusePeer: (@Sendable (Peer) -> String?)?
    if case .uri(let uri)? = channel.configuration.tls?.serverName {
      refusePeer = { peer in
        peer.certificateURIs.contains(uri) ? nil : "the server's certificate is not for \(uri)"
      }
    }
    return try Connection(
      .client, executor: executor, limits: limits, isTLS: channel.tls != nil, dispatcher: nil,
      owner: self, endpoint: endpoint, callsMax: channel.configuration.balancing.callsMax,
      logger: channel.logger, refusePeer: refusePeer)
  }
}
