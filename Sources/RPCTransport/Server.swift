internal import Glibc
internal import HTTP2
public import Logging
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
public import RPC
internal import Synchronization

/// Listens on one address and dispatches its exchanges. Safe to use from any task.
public final class Server: Sendable {
  private enum Phase {
    case idle
    case running(any NIOCore.Channel)
    case stopped
  }

  private struct State {
    var phase = Phase.idle
    /// The TLS context of new connections; nil in plaintext.
    var tls: NIOSSLContext?
    var connections = OpenConnections()
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  /// The configuration that the server was created with.
  public let configuration: ServerConfiguration
  private let dispatcher: Dispatcher
  private let loops: EventLoops
  private let logger: Logger
  private let state = Mutex(State())
  let heldMemory: HeldMemory

  /// Creates a server that does not listen until `start()`.
  /// - Parameters:
  ///   - dispatcher: Answers the exchanges of all connections; servers may share one.
  ///   - loops: The event loops of the connections. They must outlive the server.
  public init(
    configuration: ServerConfiguration, dispatcher: Dispatcher, loops: EventLoops,
    logger: Logger = Logger(label: "rpc.server")
  ) {
    self.configuration = configuration
    self.dispatcher = dispatcher
    self.loops = loops
    heldMemory = HeldMemory(bytesMax: configuration.heldBytesMax)
    self.logger = logger
  }

  /// Starts to listen. Raises the process's limit of open files if so many connections need it.
  /// - Returns: The address, with the port that was taken.
  /// - Throws: ``ListenError`` if the address is not available; `TLSError` if the TLS files cannot
  ///   be used.
  public func start() async throws -> HostPort {
    if let tls = configuration.tls { use(try credentials(tls)) }
    let connectionsMax = Descriptors.connectionsMax(configuration.connectionsMax)
    if connectionsMax < configuration.connectionsMax {
      logger.warning(
        "fewer connections than configured: the limit of open files (ulimit -n) allows no more",
        metadata: [
          "configured": "\(configuration.connectionsMax)", "connectionsMax": "\(connectionsMax)",
        ])
    }
    state.withLock { $0.connections.countMax = connectionsMax }
    let channel = try await listen(bootstrap())
    state.withLock { $0.phase = .running(channel) }
    return HostPort(channel.localAddress)
  }

  /// Loads TLS files for use by this server.
  /// - Throws: `TLSError` if they cannot be used.
  public func credentials(_ tls: ServerTLS) throws -> ServerCredentials {
    ServerCredentials(
      context: try tls.makeContext(
        protocols: configuration.allowsHTTP1 ? ["h2", "http/1.1"] : ["h2"]))
  }

  /// Sets the credentials of new connections; existing ones keep theirs. Does nothing on a server
  /// that was configured for plaintext.
  public func use(_ credentials: ServerCredentials) {
    guard configuration.tls != nil else { return }
    state.withLock { $0.tls = credentials.context }
  }

  private func bootstrap() -> ServerBootstrap {
    let bootstrap = ServerBootstrap(group: loops.group)
      .serverChannelOption(.backlog, value: configuration.backlog)
      .childChannelOption(
        .writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10)
      )
      // One connection and one read per turn, so that others wait only for what that read asks.
      // `Connection` determines how much is read.
      .serverChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try self.accept(channel) }
      }
    guard configuration.address.socketPath == nil else { return bootstrap }
    return bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.tcpOption(.userTimeout), value: configuration.limits.userTimeout)
  }

  private func listen(_ bootstrap: ServerBootstrap) async throws -> any NIOCore.Channel {
    let address = configuration.address
    guard let path = address.socketPath else {
      do {
        return try await bootstrap.bind(host: address.host, port: address.port).get()
      } catch let error as IOError {
        throw ListenError(address: address, code: error.errnoCode)
      }
    }
    // A killed server leaves its socket file behind; one that another server listens on is kept.
    let other = try? await ClientBootstrap(group: loops.group).connect(unixDomainSocketPath: path)
      .get()
    if let other {
      try await other.close()
      throw ListenError(address: address, code: EADDRINUSE)
    }
    return try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true)
      .get()
  }

  private func accept(_ channel: any NIOCore.Channel) throws {
    let pipeline = channel.pipeline.syncOperations
    let tls = state.withLock(\.tls)
    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
    let executor = loops.executor(of: channel.eventLoop)
    guard configuration.allowsHTTP1 else {
      return try speakHTTP2(channel, executor) { self.admit($0) }
    }
    let negotiation = ProtocolNegotiation(
      executor: executor, isTLS: tls != nil, timeMax: configuration.limits.handshakeMax,
      install: { [unowned self] version, context in
        switch version {
        case .http2: try speakHTTP2(context.channel, executor) { self.keep($0) }
        case .http1: try speakHTTP1(context.channel, executor)
        }
      })
    negotiation.ended = { [weak self, unowned negotiation] in self?.gone(negotiation) }
    guard admit(negotiation) else { return channel.close(promise: nil) }
    try pipeline.addHandler(negotiation)
  }

  private func speakHTTP2(
    _ channel: any NIOCore.Channel, _ executor: LoopExecutor,
    unless isKept: (any ServedConnection) -> Bool
  ) throws {
    let connection = try Connection(
      .server, executor: executor, limits: configuration.limits, isTLS: configuration.tls != nil,
      readBytesMax: configuration.readBytesMax, dispatcher: dispatcher, owner: self,
      heldMemory: heldMemory, logger: logger)
    guard isKept(connection) else {
      connection.close("too many connections")
      return channel.close(promise: nil)
    }
    do {
      try channel.syncOptions?.setOption(.recvAllocator, value: connection)
      // A client that has ended its side may still read: what it sent is answered.
      try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
      try channel.pipeline.syncOperations.addHandler(connection)
      connection.watch(configuration.lifetime, jitter: Double.random(in: Self.ageJitter))
    } catch {
      connection.close("\(error)")
      throw error
    }
  }

  private func speakHTTP1(_ channel: any NIOCore.Channel, _ executor: LoopExecutor) throws {
    let connection = HTTP1Connection(
      executor: executor, limits: configuration.limits, isTLS: configuration.tls != nil,
      dispatcher: dispatcher, heldMemory: heldMemory, logger: logger)
    connection.ended = { [weak self, unowned connection] in self?.gone(connection) }
    guard keep(connection) else { return channel.close(promise: nil) }
    do {
      let pipeline = channel.pipeline.syncOperations
      let reading = HTTP1Reading(for: connection, readBytesMax: configuration.readBytesMax)
      try channel.syncOptions?.setOption(.recvAllocator, value: reading)
      try pipeline.addHandler(reading)
      try HTTP1Pipeline.addHandlers(to: pipeline, limits: configuration.limits)
      try pipeline.addHandler(connection)
    } catch {
      connection.close("\(error)")
      throw error
    }
  }

  /// Admits a new connection, in the place of an idle one if there are too many.
  private func admit(_ connection: any ServedConnection) -> Bool {
    let admission: OpenConnections.Admission = state.withLock { state in
      if case .stopped = state.phase { return .refused(asking: []) }
      return state.connections.admit(connection, at: .now())
    }
    switch admission {
    case .admitted: return true
    case .inPlace(let idle):
      idle.executor.execute { idle.makeRoom() }
      return true
    case .refused(let asked):
      for busy in asked { busy.executor.execute { busy.giveWay() } }
      return false
    }
  }

  /// Keeps a connection whose negotiation was admitted.
  private func keep(_ connection: any ServedConnection) -> Bool {
    state.withLock { state in
      if case .stopped = state.phase { return false }
      state.connections.keep(connection)
      return true
    }
  }

  private func gone(_ connection: any ServedConnection) {
    let isLast = state.withLock { state in
      state.connections.remove(connection)
      return state.connections.isEmpty
    }
    guard isLast else { return }
    for waiter in takeWaiters() { waiter.resume() }
  }

  /// The jitter of the connection age, ± 10 %. Source: gRFC A9.
  private static let ageJitter = 0.9...1.1

  /// The number of open connections.
  public var connectionCount: Int { state.withLock { $0.connections.count } }

  /// The time for cancelled handlers to return after their connections are closed.
  private static let lastGrace: Duration = .seconds(5)
  /// After this much of a drain, the log says how many calls it still waits for: most have ended.
  private static let drainNoticeAfter: Duration = .milliseconds(250)

  /// Stops the server: it accepts no new connections and calls, lets running calls end, and after
  /// `grace` closes the rest and cancels their handlers. Returns when connections and handlers are
  /// gone, or five seconds after `grace` if a handler ignores its cancellation. Idempotent.
  public func shutdown(grace: Duration = .seconds(30)) async {
    let (listener, connections) = state.withLock { state in
      defer { state.phase = .stopped }
      let open = state.connections.all
      if case .running(let channel) = state.phase { return (Optional(channel), open) }
      return (nil, open)
    }
    try? await listener?.close()
    if listener != nil, let path = configuration.address.socketPath { unlink(path) }
    for connection in connections {
      connection.executor.execute { connection.drain() }
    }
    let notice = loops.next().schedule(after: Self.drainNoticeAfter) { self.logRunningCalls(grace) }
    let timer = loops.next().schedule(after: grace) {
      for connection in self.state.withLock(\.connections.all) {
        connection.executor.execute { connection.close("the server stops") }
      }
    }
    let last = loops.next().schedule(after: grace + Self.lastGrace) {
      self.logger.error("handlers still run after the server has stopped")
      for waiter in self.takeWaiters() { waiter.resume() }
    }
    await allClosed()
    notice.cancel()
    timer.cancel()
    last.cancel()
  }

  /// Logs how many calls a drain waits for, if any.
  private func logRunningCalls(_ grace: Duration) {
    let open = state.withLock(\.connections.all)
    let sum = RunningCalls(connections: open.count)
    for connection in open {
      connection.executor.execute { [logger] in
        guard let calls = sum.add(connection.runningCalls), calls > 0 else { return }
        logger.notice(
          "waiting for \(calls) call\(calls == 1 ? "" : "s") to end",
          metadata: ["grace": "\(grace)"])
      }
    }
  }

  /// Calls `question` with each connection, on its loop, and returns the answers. For tests.
  func ask<Kind: ServedConnection, Answer: Sendable>(
    _ kind: Kind.Type, question: @escaping @Sendable (Kind) -> Answer
  ) async -> [Answer] {
    var answers: [Answer] = []
    for case let connection as Kind in state.withLock(\.connections.all) {
      let answer = try? await connection.executor.eventLoop.submit { question(connection) }.get()
      if let answer { answers.append(answer) }
    }
    return answers
  }

  /// Lets the connections' timers run as if that much time had passed. For tests.
  func timePasses(_ passed: Duration) async {
    _ = await ask(Connection.self) { $0.timePasses(passed) }
  }

  private func takeWaiters() -> [CheckedContinuation<Void, Never>] {
    state.withLock { state in
      defer { state.waiters = [] }
      return state.waiters
    }
  }

  private func allClosed() async {
    await withCheckedContinuation { continuation in
      let isDone = state.withLock { state in
        if state.connections.isEmpty { return true }
        state.waiters.append(continuation)
        return false
      }
      if isDone { continuation.resume() }
    }
  }
}

extension Server: ConnectionOwner {
  func connectionIsReady(_ connection: Connection) {}

  func connectionIsGoingAway(_ connection: Connection) {}

  func connectionClosed(_ connection: Connection, reason: String) { gone(connection) }
}

/// The sum of the calls of connections on several loops.
private final class RunningCalls: Sendable {
  private let state: Mutex<(unasked: Int, calls: Int)>

  init(connections: Int) { state = Mutex((connections, 0)) }

  /// Adds the calls of a connection; returns the sum after the last one.
  func add(_ calls: Int) -> Int? {
    state.withLock { state in
      state.unasked -= 1
      state.calls += calls
      return state.unasked == 0 ? state.calls : nil
    }
  }
}
