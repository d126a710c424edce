import Logging
import NIOCore
import RPC
import Synchronization

/// The connection to one backend of a client: connects, checks its health, and tells whether calls
/// can use it.
///
/// Safe to use from any task.
final class Subchannel: ConnectionOwner {
  enum Health: Sendable { case unknown, serving, notServing }

  struct State {
    var machine = SubchannelState()
    var backoff: Backoff
    /// The current attempt; the outcome of earlier ones is ignored.
    var attempt: Connection?
    /// When the current attempt started.
    var attemptedAt = ContinuousClock.now
    /// Whether the current attempt takes so long that pick_first tries the next backend, too.
    var isSlow = false
    var connection: Connection?
    var readySince: ContinuousClock.Instant?
    /// When calls could first use the current connection.
    var servingSince: ContinuousClock.Instant?
    var health = Health.unknown
    var lastError: String?

    /// The connection, if calls may use it.
    var usable: Connection? {
      machine.phase == .ready && health == .serving ? connection : nil
    }

    /// Whether calls should wait, because an outcome is near.
    var isPending: Bool {
      machine.isPending || (machine.phase == .ready && health == .unknown)
    }

    /// The backend's contribution to the channel's connectivity state.
    var connectivity: Connectivity {
      if usable != nil { return .ready }
      if isPending { return .connecting }
      return [.idle, .resting].contains(machine.phase) ? .idle : .transientFailure
    }
  }

  /// A connection that ends sooner than this counts as a failed attempt.
  private static let shortest: Duration = .seconds(1)

  let target: HostPort
  let endpoint: Endpoint
  /// The calls that it is for.
  let trafficClass: TrafficClass
  /// Whether this is not the first connection to its backend, and so made only when calls need it.
  let isExtra: Bool
  /// The loop of its connections; nil for any.
  let executor: LoopExecutor?
  let state: Mutex<State>
  weak let channel: ClientChannel?

  init(
    target: HostPort, endpoint: Endpoint, for trafficClass: TrafficClass, isExtra: Bool,
    on executor: LoopExecutor?, channel: ClientChannel
  ) {
    self.target = target
    self.endpoint = endpoint
    self.trafficClass = trafficClass
    self.isExtra = isExtra
    self.executor = executor
    self.channel = channel
    state = Mutex(State(backoff: Backoff(channel.configuration.backoff)))
  }

  var address: SocketAddress { endpoint.address }

  /// The backend's name in errors.
  private var name: String {
    let address = HostPort(address)
    return address == target ? "\(target)" : "\(target) (\(address))"
  }

  // MARK: - For the channel

  /// Releases the backend: its connection takes no new calls and is closed when the last one has
  /// ended.
  func release() { leave(.released) }

  /// Releases the backend for good.
  func stop() { leave(.stop) }

  private func leave(_ input: SubchannelState.Input) {
    let connection = state.withLock { state in
      _ = state.machine.apply(input)
      defer {
        state.connection = nil
        state.attempt = nil
      }
      state.health = .unknown
      state.lastError = nil
      return state.connection ?? state.attempt
    }
    guard let connection else { return }
    connection.executor.execute { connection.finish() }
  }

  // MARK: - Outcomes of attempts

  /// The time after which pick_first does not wait for this attempt alone.
  /// Sources: gRFC A61; RFC 8305, section 5.
  static let attemptDelay: Duration = .milliseconds(250)

  /// Handles an attempt that has no outcome yet.
  func attemptLasts(_ attempt: Connection) {
    let isCurrent = state.withLock { state in
      guard state.attempt === attempt else { return false }
      state.isSlow = true
      return true
    }
    if isCurrent { channel?.tryNext() }
  }

  /// Handles a failed attempt.
  /// - Parameter attempt: Nil if no connection could be created.
  func attemptFailed(_ attempt: Connection?, _ reason: String) {
    let step = state.withLock { state -> (SubchannelState.Action, Duration)? in
      guard state.attempt === attempt else { return nil }
      state.attempt = nil
      state.lastError = "\(name): \(reason)"
      return next(&state, .failed)
    }
    guard let (action, wait) = step else { return }
    act(action, wait: wait)
    channel?.doubt(target)
  }

  /// Applies an input and returns the action, with the time to wait if it is `wait` or `rest`. If
  /// it is `wait`, the backoff counts from the start of the previous attempt.
  private func next(
    _ state: inout State, _ input: SubchannelState.Input
  ) -> (SubchannelState.Action, Duration) {
    let action = state.machine.apply(input)
    guard action == .wait || action == .rest else { return (action, .zero) }
    let wait = state.backoff.next(random: .random(in: 0..<1))
    if action == .rest { return (action, wait) }
    return (action, max(.zero, wait - state.attemptedAt.duration(to: .now)))
  }

  private func act(_ action: SubchannelState.Action, wait: Duration) {
    switch action {
    case .none: break
    case .connect: connect()
    case .wait: apply(.waited, after: wait)
    case .rest: apply(.rested, after: wait)
    }
    channel?.changed()
  }

  /// Applies an input later, and connects if that is the action.
  private func apply(_ input: SubchannelState.Input, after wait: Duration) {
    guard let channel else { return }
    _ = channel.loops.next().schedule(after: wait) { [weak self] in
      guard let self else { return }
      let action = self.state.withLock { $0.machine.apply(input) }
      if action == .connect { self.connect() }
      // To calls it makes no difference that an attempt follows, so no change is reported.
    }
  }

  // MARK: - Events of a connection

  func connectionIsReady(_ connection: Connection) {
    guard let channel else { return connection.close("the channel is gone") }
    let configuration = channel.configuration
    let isWanted = state.withLock { state in
      guard state.attempt === connection else { return false }
      state.attempt = nil
      _ = state.machine.apply(.connected)
      state.backoff.reset()
      state.connection = connection
      state.readySince = .now
      state.lastError = nil
      state.health = configuration.health == nil ? .serving : .unknown
      state.servingSince = configuration.health == nil ? .now : nil
      return true
    }
    guard isWanted else { return connection.close("the connection is not wanted any more") }
    connection.keep(
      ClientLifetime(
        keepalive: configuration.keepalive, scale: channel.keepaliveScale,
        idleMax: configuration.idleMax),
      idle: { [weak self] in self?.idled(connection) })
    channel.changed()
    if let service = configuration.health {
      HealthWatch.start(service, on: connection, of: self, configuration)
    }
  }

  func healthChanged(_ connection: Connection, _ health: Health, _ reason: String? = nil) {
    state.withLock { state in
      guard state.connection === connection else { return }
      if health == .serving, state.health != .serving { state.servingSince = .now }
      state.health = health
      state.lastError =
        health == .notServing ? "\(name): \(reason ?? "the backend is not serving")" : nil
    }
    channel?.changed()
  }

  /// Handles a health check that the backend has not answered for as long as calls wait for it.
  func healthIsOverdue(_ connection: Connection) {
    let isUnknown = state.withLock { $0.connection === connection && $0.health == .unknown }
    if isUnknown {
      healthChanged(connection, .notServing, "the backend does not answer its health check")
    }
  }

  /// Releases a connection without calls for the idle time; it is made again when needed.
  private func idled(_ connection: Connection) {
    let isHere = state.withLock { state in
      guard state.connection === connection else { return false }
      _ = state.machine.apply(.released)
      state.connection = nil
      state.health = .unknown
      return true
    }
    connection.finish()
    if isHere { channel?.changed() }
  }

  func connectionIsGoingAway(_ connection: Connection) {
    if connection.client?.takeComplaint() == true { channel?.doubleKeepalive() }
    lost(connection, reason: "the server is going away")
    connection.endHealthCheck()
    connection.markDirty()
  }

  func connectionClosed(_ connection: Connection, reason: String) {
    let isStopped = channel?.state.withLock { state in
      state.connections[ObjectIdentifier(connection)] = nil
      return state.isStopped
    }
    // A shutdown waits for it.
    if isStopped == true { channel?.changed() }
    if connection.isReady {
      lost(connection, reason: reason)
    } else {
      attemptFailed(connection, reason)
    }
  }

  /// Handles a lost connection: reconnects at once if calls were in flight, after a pause if not,
  /// or waits until calls need it.
  private func lost(_ connection: Connection, reason: String) {
    let waitsForCalls = isExtra || channel?.configuration.usesAll != true
    let isBusy = connection.isBusy
    let (action, wait, wasHere) = state.withLock { state in
      guard state.connection === connection else {
        return (SubchannelState.Action.none, Duration.zero, false)
      }
      state.connection = nil
      state.health = .unknown
      state.lastError = "\(name): \(reason)"
      let age = state.readySince.map { $0.duration(to: .now) } ?? .zero
      if age >= Self.shortest, waitsForCalls {
        _ = state.machine.apply(.released)
        return (.none, .zero, true)
      }
      let (action, wait) = next(
        &state, age < Self.shortest ? .lostAtOnce : isBusy ? .lost : .lostIdle)
      return (action, wait, true)
    }
    guard wasHere else { return }
    act(action, wait: wait)
    channel?.doubt(target)
  }
}
