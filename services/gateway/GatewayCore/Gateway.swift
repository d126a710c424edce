public import Logging
public import RPC
public import ServiceKit
import Synchronization

/// The gateway's gRPC face: authenticates the caller, enforces policy and limits, and forwards the
/// call. It contains no domain logic.
///
/// Register it with a `Dispatcher`; `grpc.health.v1.Health` is left to the router. A call that has
/// to wait for nothing but its service runs as a ``DirectCall``; all others run in a task.
public final class Gateway: ExchangeHandler {
  private static let count = Atomic<UInt64>(0)

  /// Unique within the process.
  private let number = Gateway.count.wrappingAdd(1, ordering: .relaxed).newValue
  private let routes: RouteTable
  let callers: CallerResolver
  private let signer: CallerTokenSigner
  private let messageBytesMax: Int
  private let limits: LimitBook
  private let accessLog: AccessLog
  private let answers: FailureAnswer
  private let metrics: ServerMetrics?
  private let callerMetrics: CallerMetrics?
  private let tracing: CallTracing?
  private let clock: Clock

  /// - Parameters:
  ///   - messageBytesMax: The longest request message, in bytes.
  ///   - limits: The limits of partners.
  ///   - tracing: Creates spans; nil disables tracing.
  ///   - clock: Decides when caller tokens are renewed.
  ///   - logger: Receives errors; calls go to `accessLog`.
  public init(
    routes: RouteTable, callers: CallerResolver, signer: CallerTokenSigner,
    messageBytesMax: Int, limits: LimitBook, accessLog: AccessLog, tracing: CallTracing? = nil,
    clock: Clock = .system, logger: Logger
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
    self.clock = clock
  }

  /// Whether the method at a path takes a stream of requests, as far as is known.
  func mayStreamRequests(_ path: String) -> Bool {
    routes[path].map { !$0.traits.takesOneMessage } ?? false
  }

  public func claims(_ head: RequestHead) -> Bool { Self.serves(head) }

  /// Whether a gateway answers the request, regardless of its configuration.
  static func serves(_ head: RequestHead) -> Bool {
    head.isGRPC && head.isPOST
      && !(head.withPath { $0.starts(with: "/grpc.health.v1.Health/") } ?? false)
  }

  public func serve(_ exchange: ServerExchange) async {
    var record = CallRecord(exchange.head)
    let metered = metrics?.begin(path: record.path)
    // Unknown methods share one name: a tracing backend keeps every name it gets.
    let path = routes[record.path] == nil ? "/other" : record.shortPath
    var traced = tracing?.begin(exchange.head, path: path)
    do {
      let outcome = try await forward(exchange, &record, &traced)
      switch outcome {
      case .passed(let code): record.end(code, unless: FaceFailure.noted(of: exchange))
      case .callerGone: record.end(.cancelled, unless: FaceFailure.noted(of: exchange))
      case .failed(let failure): throw failure
      }
    } catch {
      decide(&traced, isAuthenticated: false, &record)
      await answer(exchange, error, &record)
    }
    metered?.end(record.code)
    callerMetrics?.tally(record.method, by: record.caller).count(record.code)
    traced?.end(record)
    accessLog.write(record)
  }

  /// Decides whether the call has a span, once it is known who calls.
  private func decide(
    _ traced: inout CallTracing.Call?, isAuthenticated: Bool, _ record: inout CallRecord
  ) {
    traced?.decide(isAuthenticated: isAuthenticated)
    if let trace = traced?.trace { record.traceID = trace.traceID }
  }

  /// Answers with a failure, and records it.
  func answer(
    _ exchange: ServerExchange, _ error: any Error, _ record: inout CallRecord
  ) async {
    var answer = answers.rendered(error, exchange)
    if let traceID = record.traceID { answer.metadata.add(TraceField.name, "\(traceID)") }
    record.code = answer.code
    record.reason = (error as? any ServiceFailure)?.reason
    await exchange.fail(answer)
  }

  private func forward(
    _ exchange: ServerExchange, _ record: inout CallRecord, _ traced: inout CallTracing.Call?
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
      decide(&traced, isAuthenticated: false, &record)
      return await ForwardedCall(
        exchange, by: route, InwardHead.make(from: head, token: nil, trace: traced?.trace),
        deadline: deadline, messageBytesMax: messageBytesMax, traceID: record.traceID
      ).run()
    }
    let proven =
      route.isAnonymous
      ? .anonymous : try await callers.by(deadline).resolve(head, from: exchange.peer)
    record.caller = proven.caller.subject
    decide(&traced, isAuthenticated: !route.isAnonymous, &record)
    try routes.policies.authorize(proven.caller, path: route.policyPath)
    try proven.grant.check(record.path)
    let meter = limits.meter(proven.caller, own: proven.limits, route)
    let notice = try meter?.begin(now: limits.now)
    defer { meter?.end() }
    try await limits.takeOfDay(meter, by: deadline)
    let token = try route.backend.audience.map {
      try signer.header(for: proven.caller, audience: $0)
    }
    let call = ForwardedCall(
      exchange, by: route,
      InwardHead.make(
        from: head, token: token, trace: traced?.trace,
        facts: route.isOwn ? proven.facts(of: exchange.peer) : []),
      deadline: deadline, messageBytesMax: longest(route, meter), notice: notice,
      traceID: record.traceID)
    return await callers.hold(proven, isUnary: route.isUnary) {
      call.refuse(CommonFailure.callerUnproven)
    } while: {
      await call.run()
    }
  }

  /// Longest request message of a method without authentication, in bytes: text that people type.
  static let anonymousBytesMax = 16 << 10

  private func longest(_ route: Route, _ meter: CallMeter?) -> Int {
    min(
      messageBytesMax, meter?.limits.messageBytesMax ?? .max,
      route.isAnonymous ? Self.anonymousBytesMax : .max)
  }
}

// MARK: - For the other protocols

extension Gateway {
  /// Throws the failure that a call to `path` with a message over the limit gets, before the call
  /// is made, so that it counts against no limit. Returns if the caller may make the call at all,
  /// or the path is unknown.
  func check(_ head: RequestHead, path: String, from peer: Peer) async throws {
    guard let route = routes[path], !route.isOpen else { return }
    guard !route.isAnonymous else {
      throw GatewayFailure.messageTooLarge(bytesMax: Self.anonymousBytesMax)
    }
    let proven = try await callers.resolve(head, from: peer)
    try routes.policies.authorize(proven.caller, path: route.policyPath)
    try proven.grant.check(path)
  }

  /// Records a request in log and metrics that another protocol's face refused before it made a
  /// call.
  ///
  /// - Parameter path: The method's path; nil where the request matches no method.
  func note(
    _ head: RequestHead, path: String?, _ code: RPCError.Code, _ failure: (any ServiceFailure)?
  ) {
    // The query may contain personal data.
    var record = CallRecord(head, path: path ?? String(head.path.prefix { $0 != "?" }))
    let route = routes[record.path]
    record.service = route?.backend.name
    record.method = route?.number ?? 0
    record.code = code
    record.reason = failure?.reason
    metrics?.begin(path: record.path).end(code)
    callerMetrics?.tally(record.method, by: nil).count(code)
    accessLog.write(record)
  }
}

// MARK: - Without a task

extension Gateway {
  public func take(_ exchange: ServerExchange) -> Bool {
    let head = exchange.head
    guard tracing == nil, !head.hasBadTimeout, let admission = admission(head),
      limits.hasOfDay(admission.meter),
      let inward = try? admission.inward(head, now: clock.microseconds, signer: signer)
    else { return false }
    let notice: LimitNotice?
    do {
      notice = try admission.meter?.begin(now: limits.now)
    } catch {
      // The failed attempt did not count; the task checks again and answers the caller.
      return false
    }
    guard limits.takeOfDayAtHand(admission.meter) else {
      // Another call took the last one of the lease: the task checks again and waits for more.
      admission.meter?.undo()
      return false
    }
    let call = DirectCall(
      exchange, admission, inward, in: self,
      messageBytesMax: longest(admission.route, admission.meter), notice: notice)
    call.begin()
    return true
  }

  /// Returns the cached or freshly computed admission of calls with a head; nil where that needs to
  /// suspend, and where the call is refused.
  private func admission(_ head: RequestHead) -> Admission? {
    if let known = head.memo?.finding as? Admission, known.gateway == number,
      known.proven.map(callers.stillHolds) ?? true
    {
      return known
    }
    var record = CallRecord(head)
    guard let route = routes[record.path], !route.isOwn, route.backend.loopChannel != nil else {
      return nil
    }
    record.service = route.backend.name
    record.method = route.number
    var proven: CallerResolver.Proven?
    var meter: CallMeter?
    if !route.isOpen {
      guard let caller = route.isAnonymous ? .anonymous : callers.atHand(head),
        (try? routes.policies.authorize(caller.caller, path: route.policyPath)) != nil,
        (try? caller.grant.check(record.path)) != nil
      else { return nil }
      proven = caller
      record.caller = caller.caller.subject
      meter = limits.meter(caller.caller, own: caller.limits, route)
    }
    record.parts = CallRecord.Parts(record)
    let made = Admission(
      number, route, proven, meter: meter, record: record,
      metrics: metrics?.method(path: record.path),
      tally: callerMetrics?.tally(record.method, by: record.caller))
    head.memo?.finding = made
    return made
  }

  /// Writes the access log entry of a call that had no task.
  func ended(_ record: CallRecord) { accessLog.write(record) }
}
