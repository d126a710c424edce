public import Logging
internal import NIOCore
internal import NIOSSL
public import RPC
internal import Synchronization

/// A client of one service with one or more backends. It connects when first used, reconnects with
/// backoff, and balances calls over the backends that are ready.
///
/// Safe to use from any task. A call fails at once with UNAVAILABLE if no backend is reachable, but
/// waits for a connection that is under way; with `waitForReady` it waits until its deadline.
public final class ClientChannel: LoopChannel {
  /// A connection that calls can use. A class, so that calls share it instead of copying it.
  final class Lane: Sendable {
    let connection: Connection
    let authority: String
    let subchannel: Subchannel
    /// When its slow start ends; nil without one.
    let warmAt: ContinuousClock.Instant?

    init(
      _ connection: Connection, _ authority: String, _ subchannel: Subchannel,
      warmAt: ContinuousClock.Instant?
    ) {
      self.connection = connection
      self.authority = authority
      self.subchannel = subchannel
      self.warmAt = warmAt
    }
  }

  /// Who looks for a lane: the loop that a call is made on, if loops have connections of their own,
  /// and the call's class, if bulk calls do.
  struct View: Hashable {
    let loop: ObjectIdentifier?
    let trafficClass: TrafficClass
  }

  struct State {
    var names: [NameState]
    var namesResolvedAt: [ContinuousClock.Instant?]
    var nameBackoffs: [Backoff]
    var nameError: String?
    /// All backends, in the order of the targets and of their addresses.
    var subchannels: [Subchannel] = []
    /// The connections that calls can use, as of the last change.
    var lanes: [Lane] = []
    /// The lanes of ejected backends, where not all calls use them.
    var ejectedLanes: [Lane] = []
    /// The lanes as callers see them.
    var views: [View: [Lane]] = [:]
    var balancer = Balancer()
    var random = QuickRandom(seed: .random(in: 0...UInt64.max))
    /// When the last slow start of a lane ends; nil if no lane is in slow start.
    var warmAt: ContinuousClock.Instant?
    /// The states of backends that were ejected at least once.
    var ejections: [ObjectIdentifier: Ejection] = [:]
    /// The number of changes, so that a call misses none between its pick and its wait.
    var version: UInt64 = 0
    var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    var nextWaiter: UInt64 = 0
    var isStopped = false
    var connections: [ObjectIdentifier: Connection] = [:]
    /// The factor of the keepalive interval, which grows with the complaints of servers.
    var keepaliveScale = 1
  }

  /// The configuration that the channel was created with.
  public let configuration: ClientConfiguration
  /// The interceptors, observer and service config of all calls; nil if there are none.
  public let policy: ChannelPolicy?
  let loops: EventLoops
  let logger: Logger
  let tls: NIOSSLContext?
  let state: Mutex<State>

  /// Creates a channel, which does not connect yet.
  /// - Parameters:
  ///   - interceptors: The interceptors of every call, outermost first.
  ///   - observer: The observer of every call.
  /// - Throws: `TLSError` if the TLS files cannot be used.
  public init(
    configuration: ClientConfiguration, loops: EventLoops,
    interceptors: [any ClientInterceptor] = [], observer: (any ClientObserver)? = nil,
    logger: Logger = Logger(label: "rpc.client")
  ) throws {
    precondition(!configuration.targets.isEmpty, "a client needs a target")
    self.configuration = configuration
    self.loops = loops
    self.logger = logger
    tls = try configuration.tls?.makeContext()
    if interceptors.isEmpty, observer == nil, configuration.serviceConfig == nil {
      policy = nil
    } else {
      policy = ChannelPolicy(
        interceptors: interceptors, observer: observer,
        serviceConfig: configuration.serviceConfig ?? ServiceConfig(),
        retryBytesMax: configuration.retryBytesMax)
    }
    let targets = configuration.targets
    let addresses = targets.map { HostResolver.address($0) }
    state = Mutex(
      State(
        names: addresses.map { NameState(isAddress: $0 != nil) },
        namesResolvedAt: targets.map { _ in nil },
        nameBackoffs: targets.map { _ in Backoff(configuration.backoff) }))
    for (target, address) in zip(targets, addresses) {
      if let address { setAddresses([address], of: target) }
    }
  }

  /// Creates a channel with backends and TLS, and defaults for everything else.
  public convenience init(
    targets: [HostPort], tls: ClientTLS? = nil, loops: EventLoops
  ) throws {
    try self.init(configuration: ClientConfiguration(targets: targets, tls: tls), loops: loops)
  }

  deinit {
    for connection in state.withLock({ Array($0.connections.values) }) {
      connection.executor.execute { connection.close("the channel is gone") }
    }
  }

  // MARK: - Calls

  /// Opens an exchange on a connection that the load balancing chooses, and passes it to `body`.
  /// If that connection ends before, another one is chosen.
  public func openExchange<Result: Sendable>(
    _ head: RequestHead, options: ExchangeOptions,
    _ body: (ClientExchange) async throws -> Result
  ) async throws -> Result {
    while true {
      let lane = try await pick(options)
      let connection = lane.connection
      nonisolated(nonsending) func run() async throws -> Result {
        let exchange: ClientExchange
        do throws(RPCError) {
          exchange = try connection.open(head, authority: lane.authority, options: options)
        } catch {
          throw NotOpened(error: error)
        }
        return try await body(exchange)
      }
      do {
        // A task that runs on the loop prefers it already.
        if connection.executor.isCurrent { return try await run() }
        return try await withTaskExecutorPreference(connection.executor) { try await run() }
      } catch let error as NotOpened {
        // The connection ended between the pick and its use. The call has not left, so it goes to
        // another one, or fails for lack of any. Source: gRFC A6, Transparent Retries.
        guard error.error.code == .unavailable, !Task.isCancelled else { throw error.error }
        // Meanwhile the channel takes note of the end.
        await Task.yield()
      }
    }
  }

  /// Opens an exchange if the picked connection is on `loop`. If not, returns nil and leaves the
  /// balancer's turn as it was.
  package func openExchange(
    _ head: RequestHead, options: ExchangeOptions, on loop: any ExchangeLoop
  ) throws(RPCError) -> ClientExchange? {
    guard configuration.hasLoops, let loop = loop as? LoopExecutor else { return nil }
    let picked = state.withLock { state -> (lane: Lane?, work: Work)? in
      let turn = state.balancer
      guard !state.isStopped,
        let (lane, work, isCrowded) = state.pickLane(configuration, options, on: loop)
      else { return nil }
      if lane.connection.executor === loop, !isCrowded { return (lane, work) }
      // The call will pick again, and it is still the turn of the same backend.
      state.balancer = turn
      return (nil, work)
    }
    guard let (lane, work) = picked else { return nil }
    carryOut(work)
    guard let lane else { return nil }
    return try lane.connection.open(head, authority: lane.authority, options: options)
  }

  private struct NotOpened: Error {
    let error: RPCError
  }

  private nonisolated(nonsending) func pick(_ options: ExchangeOptions) async throws -> Lane {
    while true {
      let loop = configuration.hasLoops ? loops.current ?? loops.next() : nil
      let (outcome, work) = state.withLock { state in
        state.pick(configuration, options, on: loop)
      }
      carryOut(work)
      switch outcome {
      case .lane(let lane): return lane
      case .fail(let error): throw error
      case .wait(let version): try await wait(since: version, deadline: options.deadline)
      }
    }
  }

  /// Carries out the work that follows from a pick or a change.
  func carryOut(_ work: Work) {
    guard !work.isEmpty else { return }
    for subchannel in work.connect { subchannel.connect() }
    for index in work.resolve { resolve(index) }
    for subchannel in work.release { subchannel.release() }
  }

  // MARK: - Connectivity

  /// The current connectivity state.
  public var connectivity: Connectivity { state.withLock { $0.connectivity } }

  /// Starts to connect, if nothing is connected or connecting. Returns at once.
  public func connect() {
    let options = ExchangeOptions(waitForReady: true)
    let (_, work) = state.withLock { $0.pick(configuration, options, on: nil) }
    carryOut(work)
  }

  /// Waits until the connectivity state differs from `known`, and returns it.
  /// - Throws: `RPCError`, DEADLINE_EXCEEDED or CANCELLED.
  @discardableResult
  public func connectivity(
    otherThan known: Connectivity, deadline: Deadline? = nil
  ) async throws -> Connectivity {
    while true {
      let (now, version) = state.withLock { ($0.connectivity, $0.version) }
      if now != known { return now }
      try await wait(since: version, deadline: deadline)
    }
  }

  /// Requests a connection to the next backend of pick_first, since the one before takes long.
  func tryNext() {
    let (_, work) = state.withLock { $0.want(configuration) }
    carryOut(work)
  }

  /// Handles the change of a backend: waiting calls pick again.
  func changed() {
    let (woken, work) = state.withLock { state in
      state.version += 1
      state.setLanes(configuration, loops)
      let work = state.afterChange(configuration)
      defer { state.waiters.removeAll() }
      return (Array(state.waiters.values), work)
    }
    carryOut(work)
    for waiter in woken { waiter.resume() }
  }

  var keepaliveScale: Int { state.withLock { $0.keepaliveScale } }

  /// The upper bound on the factor of the keepalive interval.
  private static let keepaliveScaleMax = 1 << 10

  /// Halves the ping rate of new connections, after a server complained of too many pings, and logs
  /// that. Source: gRFC A8.
  func doubleKeepalive() {
    state.withLock { $0.keepaliveScale = min($0.keepaliveScale * 2, Self.keepaliveScaleMax) }
    logger.notice("a server complains of too many pings: new connections have half as many")
  }

  // MARK: - Shutdown

  /// Lets the connections' timers run as if that much time had passed. For tests.
  func timePasses(_ passed: Duration) async {
    for connection in state.withLock({ Array($0.connections.values) }) {
      try? await connection.executor.eventLoop.submit { connection.timePasses(passed) }.get()
    }
  }

  /// Stops the channel: it begins no new calls, lets running ones end, and after `grace`, or when
  /// the task is cancelled, closes the rest, which fail with UNAVAILABLE. Returns when all
  /// connections are closed. Idempotent.
  public func shutdown(grace: Duration = .zero) async {
    let subchannels = state.withLock { state in
      state.isStopped = true
      state.lanes = []
      state.ejectedLanes = []
      state.views = [:]
      return state.subchannels
    }
    for subchannel in subchannels { subchannel.stop() }
    changed()
    await waitForConnections(until: .after(grace))
    let connections = state.withLock { Array($0.connections.values) }
    await withTaskGroup(of: Void.self) { group in
      for connection in connections {
        group.addTask(executorPreference: connection.executor) {
          connection.close("the channel is shut down")
        }
      }
    }
  }

  /// Waits until all connections are closed, but not longer than until the deadline.
  private func waitForConnections(until deadline: Deadline) async {
    while true {
      let (isOver, version) = state.withLock { ($0.connections.isEmpty, $0.version) }
      if isOver { return }
      do { try await wait(since: version, deadline: deadline) } catch { return }
    }
  }
}
