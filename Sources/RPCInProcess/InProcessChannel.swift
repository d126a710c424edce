public import RPC

/// A client and a server in one process, without sockets: for tests, and for code that translates
/// other protocols to calls of a server beside it.
///
/// Calls go through the same exchanges, framing, flow control and dispatch as over a network.
/// Safe to use from any task.
public final class InProcessChannel: LoopChannel {
  private let link: InProcessLink

  /// The loop that its calls run on.
  package var loop: any ExchangeLoop { link.loop }

  /// Creates a channel to a dispatcher.
  /// - Parameter peer: The client as its handlers see it.
  public init(_ dispatcher: Dispatcher, peer: Peer = Peer(address: "in-process")) {
    link = InProcessLink(dispatcher, loop: QueueLoop(), peer: peer)
  }

  /// Creates a channel whose calls run on a loop with other work, so that no call switches threads.
  /// - Parameter client: The connection of the client that the calls are made for.
  package init(
    _ dispatcher: Dispatcher, loop: any ExchangeLoop, peer: Peer,
    for client: (any ExchangeTransport)? = nil
  ) {
    link = InProcessLink(dispatcher, loop: loop, peer: peer, for: client)
  }

  /// Creates a channel to a server of some services.
  /// - Throws: `Router.DuplicateMethod`.
  public convenience init(
    services: [any RPCService], interceptors: [any ServerInterceptor] = [],
    peer: Peer = Peer(address: "in-process")
  ) throws {
    self.init(
      Dispatcher(router: try Router(services: services, interceptors: interceptors)), peer: peer)
  }

  /// Opens an exchange with the server and passes it to `body`, which runs on the link's loop.
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

  /// The number of calls whose handlers have not returned.
  public var runningHandlers: Int {
    get async { await withTaskExecutorPreference(link.loop) { link.runningHandlers } }
  }

  /// Tells the handlers of calls, running and coming ones, that the server is draining: those that
  /// have no end of their own end at once.
  package func drain() { link.loop.execute { [link] in link.drain() } }

  /// Breaks the connection: calls fail with UNAVAILABLE, and their handlers are cancelled.
  public func disconnect() async {
    await withTaskExecutorPreference(link.loop) { link.disconnect() }
  }
}
