import Crypto
import Foundation
public import Logging
public import RPC
public import ServiceKit

/// Where a service is and what it is proven by: all that a channel to it is made of.
public struct BackendLink: Sendable, Hashable {
  /// `host:port` of every replica.
  public let targets: [String]
  /// Workload that must answer, as in its certificate; empty for plaintext.
  public let identity: String
  /// The gateway's own identity.
  public let tls: WorkloadFiles
  /// How its replicas are used.
  public let balancing: Balancing
  /// Whether they are asked for their health.
  public let isHealthChecked: Bool
  /// Of what those files hold: with new certificates it is another link.
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
  /// Makes a channel of a link.
  public typealias Connect = @Sendable (BackendLink) throws -> any Channel

  let contracted: [String: Backend]
  let opaque: [(setting: OpaqueServiceSetting, backend: Backend)]
  private let channels: [BackendLink: any Channel]

  /// - Parameters:
  ///   - configuration: One that ``GatewayConfiguration/validate()`` passed.
  ///   - known: Of the configuration before: channels to what stays are kept with their
  ///     connections.
  /// - Throws: ``ConfigurationError`` naming every service that there can be no channel to.
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
        // What is no address is refused by the field's own check.
        guard Target.faults(targets, at: field).isEmpty else { return nil }
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

  /// Every service's channel, by name in order.
  var named: [(name: String, channel: any Channel)] {
    (contracted.values.map { ($0.name, $0.channel) }
      + opaque.map { ($0.backend.name, $0.backend.channel) })
      .sorted { $0.0 < $1.0 }
  }

  /// Every channel, to be shut down.
  var all: [any Channel] { Array(channels.values) }
}

/// What is wrong with a configuration, gathered so that it is said at once.
struct Faults {
  private(set) var texts: [String] = []

  mutating func add(_ more: [String]) { texts += more }

  /// What `body` returns; nil where it throws, which is a fault of that field.
  mutating func catching<Value>(_ field: String? = nil, _ body: () throws -> Value) -> Value? {
    do {
      return try body()
    } catch {
      texts.append(field.map { "\($0): \(error)" } ?? "\(error)")
      return nil
    }
  }

  /// - Throws: ``ConfigurationError`` with all of them, if there are any.
  func check() throws {
    guard texts.isEmpty else { throw ConfigurationError(texts.joined(separator: "; ")) }
  }
}

extension Gateway {
  /// The gateway of a configuration.
  ///
  /// - Parameters:
  ///   - kiosks: Filled by a ``KioskFeed``.
  ///   - store: What the gateway keeps; nil for nothing, and then it serves nothing itself.
  ///   - counts: What was counted of the partners' limits; it outlives a configuration.
  ///   - logger: For what goes wrong; calls are told to a log of their own, in JSON.
  /// - Throws: ``ConfigurationError``.
  public convenience init(
    _ configuration: GatewayConfiguration, backends: Backends, kiosks: KioskDirectory,
    store: GatewayStore? = nil, counts: LimitCounts = LimitCounts(), clock: Clock = .system,
    tracing: CallTracing? = nil,
    logger: Logger
  ) throws {
    let seed = try TokenKeyFile.read(configuration.callerToken.privateKeyFile)
    let keyID = configuration.callerToken.keyID
    var contracted = backends.contracted
    if let store, let registry = contracted["members"]?.channel {
      contracted[Contract.own.audience] = try OwnServices(
        store: store, configuration: configuration,
        codes: MemberCodes(
          sender: configuration.memberCodeSender == "log"
            ? LoggedMemberCodes(logger: logger) : nil, registry: registry),
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
