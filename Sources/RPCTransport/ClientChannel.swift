public import Logging
internal import NIOCore
internal import NIOSSL
public import RPC
internal import Synchronization

/// A client of one service with one or more backends: connects when first used, reconnects with
/// backoff, and sends calls round robin to the backends that are ready.
///
/// Safe to use from any task. A call fails at once with UNAVAILABLE when no backend can be had,
/// but waits for a connection under way; with `waitForReady` it waits until its deadline.
public final class ClientChannel: RPC.Channel {
  struct State {
    var subchannels: [Subchannel] = []
    var next = 0
    /// Counts what changed, so that no change is missed between looking and waiting.
    var version: UInt64 = 0
    var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    var nextWaiter: UInt64 = 0
    var isStopped = false
    var connections: [ObjectIdentifier: Connection] = [:]
  }

  public let configuration: ClientConfiguration
  let loops: EventLoops
  let logger: Logger
  let tls: NIOSSLContext?
  let state = Mutex(State())

  /// Does not connect yet.
  /// - Throws: `TLSError` when the TLS files cannot be used.
  public init(
    configuration: ClientConfiguration, loops: EventLoops,
    logger: Logger = Logger(label: "rpc.client")
  ) throws {
    precondition(!configuration.targets.isEmpty, "a client needs a target")
    self.configuration = configuration
    self.loops = loops
    self.logger = logger
    tls = try configuration.tls?.makeContext()
    let subchannels = configuration.targets.map { Subchannel(target: $0, channel: self) }
    state.withLock { $0.subchannels = subchannels }
  }

  /// The usual way: backends and TLS, all else by default.
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

  public func openExchange<Result: Sendable>(
    _ head: RequestHead, options: ExchangeOptions,
    _ body: (ClientExchange) async throws -> Result
  ) async throws -> Result {
    var last = RPCError(.unavailable, "there is no connection")
    for _ in 0...configuration.targets.count {
      let (connection, authority) = try await pick(options)
      do {
        return try await withTaskExecutorPreference(connection.executor) {
          let exchange: ClientExchange
          do throws(RPCError) {
            exchange = try connection.open(head, authority: authority, options: options)
          } catch {
            throw NotOpened(error: error)
          }
          return try await body(exchange)
        }
      } catch let error as NotOpened {
        // The connection ended between the choice and the use.
        last = error.error
      }
    }
    throw last
  }

  private struct NotOpened: Error {
    let error: RPCError
  }

  private enum Picked {
    case connection(Connection, authority: String)
    case wait(version: UInt64)
    case fail(RPCError)
  }

  private func pick(_ options: ExchangeOptions) async throws -> (Connection, String) {
    while true {
      let (picked, wanted) = state.withLock { state in
        look(&state, waitForReady: options.waitForReady)
      }
      for subchannel in wanted { subchannel.connect() }
      switch picked {
      case .connection(let connection, let authority): return (connection, authority)
      case .fail(let error): throw error
      case .wait(let version): try await wait(since: version, deadline: options.deadline)
      }
    }
  }

  /// Chooses a ready backend, or says what to do; and which backends are to be connected.
  private func look(
    _ state: inout State, waitForReady: Bool
  ) -> (Picked, wanted: [Subchannel]) {
    if state.isStopped { return (.fail(RPCError(.unavailable, "the channel is shut down")), []) }
    let count = state.subchannels.count
    for step in 0..<count {
      let index = (state.next + step) % count
      let subchannel = state.subchannels[index]
      if let connection = subchannel.state.withLock({ $0.usable }) {
        state.next = (index + 1) % count
        return (
          .connection(connection, authority: configuration.authority ?? subchannel.authority), []
        )
      }
    }
    var wanted: [Subchannel] = []
    var isPending = false
    var lastError = "there is no connection"
    for subchannel in state.subchannels {
      subchannel.state.withLock { inner in
        if inner.machine.apply(.wanted) == .connect { wanted.append(subchannel) }
        // It may have become usable since it was looked at: then looking again will find it.
        if inner.isPending || inner.usable != nil { isPending = true }
        if let error = inner.lastError { lastError = error }
      }
    }
    if isPending || waitForReady { return (.wait(version: state.version), wanted) }
    return (.fail(RPCError(.unavailable, lastError)), wanted)
  }

  // MARK: - Waiting

  private func wait(since version: UInt64, deadline: Deadline?) async throws {
    if let deadline, deadline.hasPassed {
      throw RPCError(.deadlineExceeded, "the deadline passed before there was a connection")
    }
    let id = try state.withLock { state throws(RPCError) in
      guard state.waiters.count < configuration.waitersMax else {
        throw RPCError(.resourceExhausted, "too many calls wait for a connection")
      }
      state.nextWaiter += 1
      return state.nextWaiter
    }
    let timer = deadline.map { deadline in
      loops.next().schedule(after: max(.zero, deadline.remaining)) { self.wake(id) }
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isStale = state.withLock { state in
          if state.version != version { return true }
          state.waiters[id] = continuation
          return false
        }
        if isStale { return continuation.resume() }
        if Task.isCancelled { wake(id) }
      }
    } onCancel: {
      wake(id)
    }
    timer?.cancel()
    if Task.isCancelled { throw RPCError(.cancelled, "the task was cancelled") }
  }

  private func wake(_ id: UInt64) {
    state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
  }

  /// A backend's standing changed: whoever waits looks again.
  func changed() {
    let woken = state.withLock { state in
      state.version += 1
      defer { state.waiters.removeAll() }
      return Array(state.waiters.values)
    }
    for waiter in woken { waiter.resume() }
  }

  // MARK: - End

  /// Closes all connections; running calls fail with UNAVAILABLE. Idempotent.
  public func shutdown() async {
    let (subchannels, connections) = state.withLock { state in
      state.isStopped = true
      return (state.subchannels, Array(state.connections.values))
    }
    for subchannel in subchannels { subchannel.stop() }
    changed()
    await withTaskGroup(of: Void.self) { group in
      for connection in connections {
        group.addTask(executorPreference: connection.executor) {
          connection.close("the channel is shut down")
        }
      }
    }
  }
}
