import GRPCHealthV1
public import Logging
public import RPC
public import ServiceKit
import Synchronization

/// The gateway of a process: gRPC, gRPC-Web, JSON, pages and API documentation by a configuration
/// that can be replaced while calls run.
///
/// A call is served to its end by the configuration that it began with. Register the gateway with a
/// `Dispatcher`. Safe to use from any task.
public final class LiveGateway: ExchangeHandler {
  /// Checks the server certificates of a configuration and returns a closure that installs them.
  public typealias Certificates = @Sendable (GatewayConfiguration) throws -> @Sendable () -> Void

  /// Interval at which a starting gateway polls its channels.
  private static let askInterval = Duration.milliseconds(20)

  /// Everything that serves one configuration. Immutable.
  private final class Served: Sendable {
    let configuration: GatewayConfiguration
    let backends: Backends
    let gateway: Gateway
    let web: WebFace
    let json: JSONFace
    private let pages: [any ExchangeHandler]

    init(
      _ configuration: GatewayConfiguration, _ backends: Backends, _ gateway: Gateway, web: WebFace,
      json: JSONFace, pages: [any ExchangeHandler]
    ) {
      self.configuration = configuration
      self.backends = backends
      self.gateway = gateway
      self.web = web
      self.json = json
      self.pages = pages
    }

    /// The handler of a page's path; nil where the path is none.
    func page(_ head: RequestHead) -> (any ExchangeHandler)? {
      // Nearly all requests are calls, and no page has such a path.
      guard !head.path.utf8.starts(with: "/v1/".utf8) else { return nil }
      return pages.first { $0.claims(head) }
    }
  }

  /// State shared by all configurations.
  private struct Parts {
    let contracts: JSONContracts
    let kiosks: KioskDirectory
    let store: GatewayStore?
    let counts = LimitCounts()
    let clock: Clock
    let exporter: SpanExporter?
    let post: MemberCodeWebhook.Post?
    let logger: Logger
  }

  private let parts: Parts
  private let connect: Backends.Connect
  private let live: Live<Served>
  private let loads = Atomic(1)

  private struct Life {
    var isStopping = false
    /// The reload that was asked for last; each waits for the one before.
    var reload: Task<Void, any Error>?
  }

  private let life = Mutex(Life())

  /// - Parameters:
  ///   - kiosks: Filled by a ``KioskFeed``.
  ///   - store: The gateway's database, which all configurations share; nil for none.
  ///   - logger: Receives errors; calls go to the access log, in JSON.
  ///   - post: Posts members' codes to the webhook; nil where none can be configured.
  ///   - connect: Creates the channel to a service.
  /// - Throws: ``ConfigurationError`` naming every invalid field.
  public init(
    _ configuration: GatewayConfiguration, kiosks: KioskDirectory, store: GatewayStore? = nil,
    clock: Clock = .system, logger: Logger, post: MemberCodeWebhook.Post? = nil,
    connect: @escaping Backends.Connect
  ) throws {
    parts = Parts(
      contracts: try JSONContracts(), kiosks: kiosks, store: store, clock: clock,
      exporter: try configuration.tracing.exporter(connect, logger), post: post, logger: logger)
    self.connect = connect
    try configuration.validate()
    let backends = try Backends(configuration, connect: connect)
    live = Live(try Self.served(configuration, backends, parts))
  }

  private static func served(
    _ configuration: GatewayConfiguration, _ backends: Backends, _ parts: Parts
  ) throws -> Served {
    let logger = parts.logger
    let gateway = try Gateway(
      configuration, backends: backends, kiosks: parts.kiosks, store: parts.store,
      counts: parts.counts, clock: parts.clock,
      tracing: parts.exporter.map { CallTracing(into: $0, share: configuration.tracing.share) },
      post: parts.post, logger: logger)
    let origins = BrowserOrigins(configuration.browserOrigins)
    return Served(
      configuration, backends, gateway,
      web: try WebFace(of: gateway, origins: origins, logger: logger),
      json: try JSONFace(
        of: gateway, contracts: parts.contracts, origins: origins,
        messageBytesMax: configuration.messageBytesMax, logger: logger),
      pages: [
        WebPages(),
        APIPages(contracts: parts.contracts.contracts, configuration, origins: origins),
      ])
  }

  // MARK: - Calls

  public func claims(_ head: RequestHead) -> Bool {
    head.isGRPC ? Gateway.serves(head) : true
  }

  public func take(_ exchange: ServerExchange) -> Bool {
    let (head, served) = (exchange.head, live.value(on: exchange.exchange.loop))
    if Gateway.serves(head) { return served.gateway.take(exchange) }
    guard !served.web.claims(head), served.page(head) == nil else { return false }
    return served.json.take(exchange)
  }

  public func serve(_ exchange: ServerExchange) async {
    let served = live.value(on: exchange.exchange.loop)
    if served.gateway.claims(exchange.head) { return await served.gateway.serve(exchange) }
    if served.web.claims(exchange.head) { return await served.web.serve(exchange) }
    if let page = served.page(exchange.head) { return await page.serve(exchange) }
    await served.json.serve(exchange)
  }

  // MARK: - Configuration

  /// The configuration that is currently served.
  public var configuration: GatewayConfiguration { live.value.configuration }

  /// How long running calls may take to finish at shutdown.
  public var drain: Duration { .seconds(configuration.drainSeconds) }

  /// How many configurations have been served, the current one included.
  public var generation: Int { loads.load(ordering: .relaxed) }

  /// Serves another configuration if all of it is valid; otherwise nothing changes. Returns when it
  /// is served: once its services have a ready replica, but for those that have none now, or after
  /// its `warmup_seconds`. Reloads take place one after the other.
  ///
  /// Channels to services whose settings are unchanged keep their connections; the others close
  /// with the last call that began on them.
  /// - Parameter read: Reads the configuration.
  /// - Throws: ``ConfigurationError`` naming every field that is invalid, or that cannot change
  ///   while the gateway runs; `CancellationError` when the gateway is stopping.
  public func reload(
    certificates: @escaping Certificates,
    _ read: @escaping @Sendable () throws -> GatewayConfiguration
  ) async throws {
    let reload = try life.withLock { life in
      guard !life.isStopping else { throw CancellationError() }
      let earlier = life.reload
      let reload = Task {
        _ = await earlier?.result
        try await self.load(certificates, read)
      }
      life.reload = reload
      return reload
    }
    try await reload.value
  }

  private func load(
    _ certificates: Certificates, _ read: () throws -> GatewayConfiguration
  ) async throws {
    do {
      let next = try read()
      let (served, showCertificates) = try prepared(next, certificates)
      try parts.store?.takeUpKeys()
      let unreached = Set(backends.unreached)
      try await warmUp(seconds: next.warmupSeconds) {
        served.backends.unreached.filter { !unreached.contains($0) }
      }
      showCertificates()
      live.replace(with: served)
      Observation.logLevel = Logger.Level(rawValue: next.logLevel) ?? .info
      let generation = loads.add(1, ordering: .relaxed).newValue
      parts.logger.notice("configuration reloaded", metadata: ["generation": "\(generation)"])
    } catch {
      parts.logger.error(
        "the configuration is refused, the one before stays", metadata: ["cause": "\(error)"])
      throw error
    }
  }

  private func prepared(
    _ next: GatewayConfiguration, _ certificates: Certificates
  ) throws -> (Served, @Sendable () -> Void) {
    let now = live.value
    var faults = Faults(next.faults() + next.fixedFaults(running: now.configuration))
    var show: @Sendable () -> Void = {}
    _ = faults.catching("certificate") { show = try certificates(next) }
    _ = faults.catching("caller_token.private_key_file") {
      try TokenKeyFile.read(next.callerToken.privateKeyFile)
    }
    _ = faults.catching { try TokenIssuers(next.tokenIssuers) }
    faults.add(next.memberCodeFileFaults())
    if parts.store != nil {
      _ = faults.catching("keyrings") { try GatewayKeys(files: next.keyrings) }
    }
    let backends = faults.catching {
      try Backends(next, keeping: now.backends, connect: connect)
    }
    try faults.check()
    guard let backends else { return (now, show) }
    return (try Self.served(next, backends, parts), show)
  }

  /// Runs the background work until the task is cancelled: the kiosks' feed, the store's upkeep,
  /// span export and the download of issuers' keys.
  public func run(_ fetch: @escaping KeyDownloads.Fetch) async {
    let logger = parts.logger
    async let _ = parts.store?.run(logger: logger)
    async let _ = parts.exporter?.run()
    async let _ = KeyDownloads(logger: logger, fetch: fetch).run { configuration.tokenIssuers }
    await KioskFeed(channel: stations, directory: parts.kiosks, logger: logger).run()
  }

  /// The services of the current configuration.
  var backends: Backends { live.value.backends }

  /// Every channel in use at the moment; for shutdown.
  public var channels: [any Channel] {
    backends.all + (parts.exporter.map { [$0.channel] } ?? [])
  }

  /// Reports SERVING once each service has a ready replica, or when the warm-up time is over: a
  /// dead service must not keep the others from being called. Envoy warms up its clusters by their
  /// first health checks in the same way. The status then stays SERVING until the gateway stops;
  /// failing calls name the service that is away.
  ///
  /// Returns without a report when the task is cancelled.
  public func announce(in health: HealthRegistry) async {
    do { try await warmUp(seconds: configuration.warmupSeconds) { backends.unreached } } catch {
      return
    }
    life.withLock { life in
      if !life.isStopping { health.set("", .serving) }
    }
  }

  /// Waits until no service is unreached, or so many seconds, or until the gateway stops.
  /// - Throws: `CancellationError` when the task is cancelled.
  private func warmUp(seconds: Int, _ unreached: () -> [String]) async throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
      let names = unreached()
      if names.isEmpty || life.withLock({ $0.isStopping }) { return }
      guard ContinuousClock.now < end else {
        let names = names.joined(separator: ", ")
        parts.logger.warning("serving without a way to some", metadata: ["services": "\(names)"])
        return
      }
      // Polled, for seconds at most: no event covers all channels together.
      try await Task.sleep(for: Self.askInterval)
    }
  }

  /// Reports NOT_SERVING for good: the gateway is stopping. Returns when `shutdown_delay_seconds`
  /// are over and the last reload has ended; there is no other after it.
  public func renounce(in health: HealthRegistry) async {
    let reload = life.withLock { life in
      life.isStopping = true
      health.set("", .notServing)
      return life.reload
    }
    _ = await reload?.result
    // Time itself is meant: what a load balancer takes to notice.
    try? await Task.sleep(for: .seconds(configuration.shutdownDelaySeconds))
  }

  /// The channel to yijia-stations, whose feed delivers the kiosks, of the current configuration.
  public var stations: some Channel { LiveChannel(live: { self.stationsNow }) }

  private var stationsNow: (any Channel)? { backends.contracted["stations"]?.channel }
}

extension Dispatcher {
  /// Creates the edge's dispatcher: gRPC, gRPC-Web and JSON on one port, with a health service.
  public convenience init(edge gateway: LiveGateway, health: HealthRegistry, logger: Logger) throws
  {
    self.init(
      router: try Router(services: [HealthService(registry: health)]), handlers: [gateway],
      logger: logger)
  }
}

/// A channel that is looked up anew for each call.
private struct LiveChannel: Channel {
  let live: @Sendable () -> (any Channel)?

  func openExchange<Result: Sendable>(
    _ head: RequestHead, options: ExchangeOptions,
    _ body: (ClientExchange) async throws -> Result
  ) async throws -> Result {
    guard let channel = live() else { throw RPCError(.unavailable, "there is no such service") }
    return try await channel.openExchange(head, options: options, body)
  }
}
