public import RPC

/// A client and a server in one process, without sockets: for tests, and for what turns other
/// protocols into calls of a server beside it.
///
/// Calls go through the same exchanges, framing, flow control and dispatch as over a network.
/// Safe to use from any task.
public final class InProcessChannel: LoopChannel {
  private let link: InProcessLink

  /// What its calls run on.
  package var loop: any ExchangeLoop { link.loop }

  /// - Parameter peer: what handlers see as their caller.
  public init(_ dispatcher: Dispatcher, peer: Peer = Peer(address: "in-process")) {
    link = InProcessLink(dispatcher, loop: QueueLoop(), peer: peer)
  }

  /// A channel whose calls run on that loop, with whoever else does: no call changes threads.
  package init(_ dispatcher: Dispatcher, loop: any ExchangeLoop, peer: Peer) {
    link = InProcessLink(dispatcher, loop: loop, peer: peer)
  }

  /// A channel to a server of these services.
  /// - Throws: `Router.DuplicateMethod`.
  public convenience init(
    services: [any RPCService], interceptors: [any ServerInterceptor] = [],
    peer: Peer = Peer(address: "in-process")
  ) throws {
    self.init(
      Dispatcher(router: try Router(services: services, interceptors: interceptors)), peer: peer)
  }

  public func openExchange<Result: Sendable>(
    _ head: RequestHead, options: ExchangeOptions,
    _ body: (ClientExchange) async throws -> Result
  ) async throws -> Result {
    try await withTaskExecutorPreference(link.loop) {
      try await body(link.open(head, options: options))
    }
  }

  package func openExchange(
    _ head: RequestHead, options: ExchangeOptions, on loop: any ExchangeLoop
  ) throws(RPCError) -> ClientExchange? {
    link.loop === loop ? link.open(head, options: options) : nil
  }

  /// Calls whose handlers have not returned.
  public var runningHandlers: Int {
    get async { await withTaskExecutorPreference(link.loop) { link.runningHandlers } }
  }

  /// Breaks the connection: calls end with UNAVAILABLE, their handlers are cancelled.
  public func disconnect() async {
    await withTaskExecutorPreference(link.loop) { link.disconnect() }
  }
}
