import Crypto
import Foundation
public import Logging
public import RPC
public import ServiceKit

/// Addresses, expected identity and client settings of one service: everything that a channel to it
/// is created from. Channels are shared and kept across reloads by this key.
public struct BackendLink: Sendable, Hashable {
  /// `host:port` of every replica.
  public let targets: [String]
  /// Workload identity that the service's certificate must state; empty for plaintext.
  public let identity: String
  /// The gateway's own certificate, key and trusted authorities.
  public let tls: WorkloadFiles
  /// Load balancing over the replicas.
  public let balancing: Balancing
  /// Whether replicas are watched by `grpc.health.v1`.
  public let isHealthChecked: Bool
  /// SHA-256 over the contents of the TLS files, so that renewed certificates make a different
  /// link.
  private let fingerprint: [UInt8]

  /// - Throws: ``ConfigurationError`` where a file of `tls` cannot be read.
  init(
    targets: [String], identity: String, tls: WorkloadFiles, balancing: Balancing = Balancing(),
    isHealthChecked: Bool = true
  ) throws {
    self.targets = targets
    self.identity = identity
    self.tls = tls
    self.balancing = balancing
    self.isHealthChecked = isHealthChecked
    fingerprint = identity.isEmpty ? [] : try Self.fingerprint(of: tls)
  }

  private static func fingerprint(of tls: WorkloadFiles) throws -> [UInt8] {
    var hash = SHA256()
    for file in [tls.certificateFile, tls.keyFile, tls.authorityFile] {
      guard let bytes = FileManager.default.contents(atPath: file) else {
        throw ConfigurationError("\(file): cannot be read")
      }
      hash.update(data: SHA256.hash(data: bytes).withUnsafeBytes { Data($0) })
    }
    return Array(hash.finalize())
  }
}

/// The services of a configuration, each with its channel.
public struct Backends: Sendable {
  /// Creates the channel of a link.
  public typealias Connect = @Sendable (BackendLink) throws -> any Channel

  let contracted: [String: Backend]
  let opaque: [(setting: OpaqueServiceSetting, backend: Backend)]
  private let channels: [BackendLink: any Channel]

  /// - Parameters:
  ///   - configuration: One that ``GatewayConfiguration/validate()`` passed.
  ///   - known: The backends of the previous configuration: channels whose link is unchanged are
  ///     reused with their connections.
  /// - Throws: ``ConfigurationError`` naming every service to which no channel can be created.
  init(
    _ configuration: GatewayConfiguration, keeping known: Backends? = nil, connect: Connect
  ) throws {
    var channels: [BackendLink: any Channel] = [:]
    var faults = Faults()
    func channel(
      _ field: String, _ targets: [String], _ identity: String, isHealthChecked: Bool = true
    ) -> (any Channel)? {
      let made = faults.catching(field) { () -> (any Channel)? in
        let link = try BackendLink(
          targets: targets, identity: identity, tls: configuration.tls,
          balancing: configuration.balancing.balancing, isHealthChecked: isHealthChecked)
        // An invalid address is reported by the field's own check.
        guard ServiceAddress.faults(ofTargets: targets, at: field).isEmpty else { return nil }
        let channel = try channels[link] ?? known?.channels[link] ?? connect(link)
        channels[link] = channel
        (channel as? any WatchedChannel)?.connect()
        return channel
      }
      return made ?? nil
    }
    var contracted: [String: Backend] = [:]
    for (name, address) in configuration.services.sorted(by: { $0.key < $1.key }) {
      guard let channel = channel("services.\(name)", address.targets, address.identity) else {
        continue
      }
      contracted[name] = Backend(name: name, channel: channel, audience: name)
    }
    var opaque: [(setting: OpaqueServiceSetting, backend: Backend)] = []
    for (index, setting) in configuration.opaqueServices.enumerated() {
      let field = "opaque_services[\(index)]"
      guard
        let channel = channel(
          field, setting.targets, setting.identity, isHealthChecked: setting.healthCheck)
      else { continue }
      let backend = Backend(
        name: setting.service, channel: channel,
        audience: setting.audience.isEmpty ? nil : setting.audience)
      opaque.append((setting, backend))
    }
    try faults.check()
    self.contracted = contracted
    self.opaque = opaque
    self.channels = channels
  }

  /// Every service's channel, sorted by name.
  var named: [(name: String, channel: any Channel)] {
    (contracted.values.map { ($0.name, $0.channel) }
      + opaque.map { ($0.backend.name, $0.backend.channel) })
      .sorted { $0.0 < $1.0 }
  }

  /// The state of every replica of each service outside of this process.
  var standings: [(name: String, replicas: [BackendStanding])] {
    named.compactMap { name, channel in
      (channel as? any WatchedChannel).map { (name, $0.standings) }
    }
  }

  /// Services without a ready replica.
  var unreached: [String] {
    standings.filter { !$0.replicas.contains(where: \.isReady) }.map(\.name)
  }

  /// Every channel; for shutdown.
  var all: [any Channel] { Array(channels.values) }
}

extension Gateway {
  /// Creates the gateway of a configuration.
  ///
  /// - Parameters:
  ///   - kiosks: Filled by a ``KioskFeed``.
  ///   - store: The gateway's database; nil for none, and then the gateway serves no RPCs of its
  ///     own.
  ///   - counts: Counters of the partners' limits; they outlive a configuration.
  ///   - post: Posts members' codes to the webhook.
  ///   - logger: Receives errors; calls go to the access log, in JSON.
  /// - Throws: ``ConfigurationError``.
  public convenience init(
    _ configuration: GatewayConfiguration, backends: Backends, kiosks: KioskDirectory,
    store: GatewayStore? = nil, counts: LimitCounts = LimitCounts(), clock: Clock = .system,
    tracing: CallTracing? = nil, post: MemberCodeWebhook.Post? = nil,
    logger: Logger
  ) throws {
    let seed = try TokenKeyFile.read(configuration.callerToken.privateKeyFile)
    let keyID = configuration.callerToken.keyID
    var contracted = backends.contracted
    if let store, let registry = contracted["members"]?.channel {
      contracted[Contract.own.audience] = try OwnServices(
        store: store, configuration: configuration,
        codes: MemberCodes(
          sender: try configuration.makeMemberCodeSender(post, ids: store.ids, clock, logger),
          registry: registry),
        keyID: keyID, seed: seed, clock: clock, logger: logger
      ).backend
    }
    let routes = try RouteTable(
      contracts: Contract.all.filter { store != nil || $0.audience != Contract.own.audience },
      backends: contracted, opaque: backends.opaque)
    self.init(
      routes: routes,
      callers: CallerResolver(
        directory: try CallerDirectory(configuration, logger: logger), kiosks: kiosks,
        store: store, clock: clock),
      signer: try CallerTokenSigner(keyID: keyID, seed: seed, clock: clock),
      messageBytesMax: configuration.messageBytesMax,
      limits: LimitBook(
        configuration.limits, paths: routes.limitedPaths, counts: counts, quotas: store?.quotas),
      accessLog: AccessLog(configuration.accessLog, clock: clock) {
        LineWriter.standardOutput.add($0)
      }, tracing: tracing, clock: clock, logger: logger)
  }
}
