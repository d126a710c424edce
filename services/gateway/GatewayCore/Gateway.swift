public import Logging
public import RPC
public import ServiceKit

/// The gateway: proves the caller, asks the policy, and forwards the call. It decides nothing of
/// the domain.
///
/// Register it with a `Dispatcher`; `grpc.health.v1.Health` is left to the router.
public struct Gateway: ExchangeHandler {
  private static let healthPrefix = "/grpc.health.v1.Health/"

  private let routes: RouteTable
  private let callers: CallerResolver
  private let signer: CallerTokenSigner
  private let messageBytesMax: Int
  private let limits: LimitBook
  private let accessLog: AccessLog
  private let answers: FailureAnswer
  private let metrics: ServerMetrics?
  private let callerMetrics: CallerMetrics?
  private let tracing: CallTracing?

  /// - Parameters:
  ///   - messageBytesMax: The longest message of a request.
  ///   - limits: Of partners.
  ///   - tracing: Makes spans; nil makes none.
  ///   - logger: For what goes wrong; calls are told to `accessLog`.
  public init(
    routes: RouteTable, callers: CallerResolver, signer: CallerTokenSigner,
    messageBytesMax: Int, limits: LimitBook, accessLog: AccessLog, tracing: CallTracing? = nil,
    logger: Logger
  ) {
    self.routes = routes
    self.callers = callers
    self.signer = signer
    self.messageBytesMax = messageBytesMax
    self.limits = limits
    self.accessLog = accessLog
    answers = FailureAnswer(logger: logger)
    metrics = ServerMetrics(paths: routes.paths)
    callerMetrics = CallerMetrics(paths: routes.paths)
    self.tracing = tracing
  }

  public func claims(_ head: RequestHead) -> Bool { Self.serves(head) }

  /// Whether a gateway answers such a request, whatever its configuration.
  static func serves(_ head: RequestHead) -> Bool {
    head.isGRPC && head.isPOST && !head.path.hasPrefix(healthPrefix)
  }

  public func serve(_ exchange: ServerExchange) async {
    var record = CallRecord(exchange.head)
    let metered = metrics?.begin(path: record.path)
    let span = tracing?.begin(exchange.head, path: record.shortPath)
    if let trace = span?.trace { record.traceID = trace.traceID }
    do {
      let outcome = try await forward(exchange, &record, trace: span?.trace)
      switch outcome {
      case .passed(let code): record.code = code
      case .callerGone: record.code = .cancelled
      case .failed(let failure): throw failure
      }
    } catch {
      let answer = await answers.rendered(error, exchange)
      record.code = answer.code
      record.reason = (error as? any ServiceFailure)?.reason
      await exchange.fail(answer)
    }
    metered?.end(record.code)
    callerMetrics?.count(record.method, by: record.caller, record.code)
    span?.end(record)
    accessLog.write(record)
  }

  private func forward(
    _ exchange: ServerExchange, _ record: inout CallRecord, trace: TraceContext?
  ) async throws -> ForwardedCall.Outcome {
    let head = exchange.head
    let deadline = head.timeout.map { Deadline.after($0) }
    guard let route = routes[record.path] else {
      throw GatewayFailure.methodUnknown(path: record.shortPath)
    }
    record.service = route.backend.name
    record.method = route.number
    guard !head.hasBadTimeout else { throw GatewayFailure.timeoutMalformed }
    if route.isOpen {
      return await ForwardedCall(
        exchange, by: route, token: nil, trace: trace, deadline: deadline,
        messageBytesMax: messageBytesMax, notice: nil
      ).run()
    }
    let proven =
      route.isAnonymous ? .anonymous : try await callers.resolve(head, from: exchange.peer)
    record.caller = proven.caller.subject
    try routes.policies.authorize(proven.caller, path: route.policyPath)
    try proven.grant.check(record.path)
    let meter = limits.meter(proven.caller, own: proven.limits, route)
    let notice = try meter?.begin(now: limits.now)
    defer { meter?.end() }
    try await limits.takeOfDay(meter)
    let token = try route.backend.audience.map {
      try signer.header(for: proven.caller, audience: $0)
    }
    let call = ForwardedCall(
      exchange, by: route, token: token, trace: trace, deadline: deadline,
      facts: route.isOwn ? proven.facts(of: exchange.peer) : [],
      messageBytesMax: min(messageBytesMax, meter?.limits.messageBytesMax ?? .max),
      notice: notice)
    return await callers.hold(proven, isUnary: route.isUnary) {
      call.refuse(CommonFailure.callerUnproven)
    } while: {
      await call.run()
    }
  }
}
