public import Logging

/// Dispatches each exchange of a server: to the registered handlers first, then to the gRPC
/// methods.
///
/// If swift-metrics has a backend when the dispatcher is created, it records the router's calls
/// (``ServerMetrics``).
public final class Dispatcher: Sendable {
  /// The gRPC methods and their interceptors.
  public let router: Router
  /// The handlers that are asked before the router, in order.
  public let handlers: [any ExchangeHandler]
  /// The limits of a single call.
  public let limits: CallLimits
  let logger: Logger
  private let metrics: ServerMetrics?

  /// Creates a dispatcher.
  /// - Parameter countsCalls: False if whoever forwards the calls has recorded them.
  public init(
    router: Router, handlers: [any ExchangeHandler] = [], limits: CallLimits = CallLimits(),
    countsCalls: Bool = true, logger: Logger = Logger(label: "rpc")
  ) {
    metrics = countsCalls ? ServerMetrics(paths: router.methods.map(\.path)) : nil
    self.router = metrics.map { router.metered(by: $0) } ?? router
    self.handlers = handlers
    self.limits = limits
    self.logger = logger
  }

  /// Dispatches a new exchange, and makes sure that `handlerEnded` is called in the end. Call on
  /// its loop.
  /// - Parameter known: The result of this function for an equal head before.
  /// - Returns: The method, if the head is valid and names one.
  package func open(
    _ exchange: Exchange, head: RequestHead, known: MethodHandler? = nil
  ) -> MethodHandler? {
    // A method is known only for a head that has passed this check before.
    guard known != nil || head.isWellFormed else {
      return refuse(exchange, reset: .protocolError)
    }
    for handler in handlers where handler.claims(head) {
      RawCall.start(handler, exchange, head: head)
      return nil
    }
    // The timeout may differ from that of the head that has passed.
    let passed = head.timeoutPlace == nil || Self.refusal(of: head) == nil ? known : nil
    guard let method = passed ?? method(for: exchange, head) else { return nil }
    let deadline = head.timeout.map { Deadline.after($0) }
    let context = ServerContext(
      method: method.descriptor, head: head, deadline: deadline, transport: exchange.transport)
    let call = method.makeCall(
      ServerCall.Setup(
        exchange: exchange, context: context, server: self, meters: method.meters))
    exchange.sink = call
    if let deadline { call.setDeadline(deadline) }
    return method
  }

  /// Checks the head and returns its method, or refuses the exchange.
  private func method(for exchange: Exchange, _ head: RequestHead) -> MethodHandler? {
    guard head.isGRPC else { return refuse(exchange, status: "415") }
    guard head.isPOST else { return refuse(exchange, status: "405") }
    if let error = Self.refusal(of: head) { return refuse(exchange, head, error) }
    guard let handler = head.withPath({ router.handler(path: $0) }) ?? nil else {
      return refuse(exchange, head, router.unknown(path: head.path))
    }
    return handler
  }

  /// Refuses a request whose header list exceeds the limits, with HTTP status 431.
  package func refuseHeaders(_ exchange: Exchange) { _ = refuse(exchange, status: "431") }

  /// The shortest timeout for which a call is started.
  private static let timeoutMin: Duration = .microseconds(1)

  private static func refusal(of head: RequestHead) -> RPCError? {
    if let fault = head.fault { return RPCError(.internalError, fault) }
    if head.hasBadTimeout { return RPCError(.internalError, "grpc-timeout is malformed") }
    if let timeout = head.timeout, timeout < timeoutMin {
      return .deadlinePassed
    }
    if head.hasUnknownEncoding {
      return RPCError(
        .unimplemented,
        "the encoding '\((head.encoding ?? "").prefix(Router.echoMax))' is not supported",
        metadata: Metadata(wire: ["grpc-accept-encoding": MessageEncoding.acceptList]))
    }
    return nil
  }

  private func refuse(
    _ exchange: Exchange, _ head: RequestHead, _ error: RPCError
  ) -> MethodHandler? {
    metrics?.begin(path: head.path).end(error.code, sentBytes: 0, receivedBytes: 0)
    exchange.finishCall(error, headers: [:], trailers: [:])
    exchange.transport.handlerEnded()
    return nil
  }

  private func refuse(_ exchange: Exchange, reset code: ResetCode) -> MethodHandler? {
    exchange.reset(code)
    exchange.transport.handlerEnded()
    return nil
  }

  private func refuse(_ exchange: Exchange, status: String) -> MethodHandler? {
    var head: HeaderList = [":status": status]
    // RFC 9110, sections 15.5.6 and 15.5.16.
    if status == "405" { head.add("allow", "POST") }
    if status == "415" { head.add("accept-post", "application/grpc") }
    exchange.sendHead(.fields(head), endsStream: true)
    exchange.transport.handlerEnded()
    return nil
  }
}

/// Runs a handler on a raw exchange.
enum RawCall {
  static func start(_ handler: any ExchangeHandler, _ exchange: Exchange, head: RequestHead) {
    let inbox = Inbox(exchange, messageBytesMax: nil)
    exchange.sink = inbox
    // Only gRPC request streams may be silent; the handler of a gRPC exchange knows whether it is
    // one.
    exchange.awaitsRequest = !head.isGRPC
    exchange.dropsRest = !head.isGRPC
    exchange.omitsBody = !head.isGRPC && head.method == "HEAD"
    let face = ServerExchange(head: head, exchange: exchange, inbox: inbox)
    if handler.take(face) { return }
    let task = Task(executorPreference: exchange.loop) {
      await handler.serve(face)
      face.ended()
    }
    inbox.onClosed = { reason in
      // The handler of a completed exchange may still have work to do after the last byte.
      if reason != .completed { task.cancel() }
    }
  }
}
