public import Logging
public import RPC
public import ServiceKit

/// The services of a configuration, each with its channel.
public struct Backends: Sendable {
  let contracted: [String: Backend]
  let opaque: [(setting: OpaqueServiceSetting, backend: Backend)]

  /// - Parameters:
  ///   - configuration: One that ``GatewayConfiguration/validate()`` passed.
  ///   - connect: Makes a channel to targets (`host:port`) whose certificate names that workload;
  ///     an empty identity is plaintext.
  public init(
    _ configuration: GatewayConfiguration,
    connect: (_ targets: [String], _ identity: String) throws -> any Channel
  ) throws {
    var contracted: [String: Backend] = [:]
    for (name, address) in configuration.services {
      contracted[name] = Backend(
        name: name, channel: try connect(address.targets, address.identity), audience: name)
    }
    self.contracted = contracted
    opaque = try configuration.opaqueServices.map { setting in
      let backend = Backend(
        name: setting.service, channel: try connect(setting.targets, setting.identity),
        audience: setting.audience.isEmpty ? nil : setting.audience)
      return (setting, backend)
    }
  }

  /// Every channel, to be shut down.
  public var channels: [any Channel] {
    contracted.values.map(\.channel) + opaque.map(\.backend.channel)
  }

  /// The channel to yijia-stations, whose feed tells of the kiosks.
  ///
  /// - Throws: ``ConfigurationError`` where there is none.
  public var stations: any Channel {
    get throws {
      guard let backend = contracted["stations"] else {
        throw ConfigurationError("services.stations: missing")
      }
      return backend.channel
    }
  }
}

extension Gateway {
  /// The gateway of a configuration.
  ///
  /// - Parameters:
  ///   - kiosks: Filled by a ``KioskFeed``.
  ///   - logger: For what goes wrong; calls are told to a log of their own, in JSON.
  /// - Throws: ``ConfigurationError``.
  public init(
    _ configuration: GatewayConfiguration, backends: Backends, kiosks: KioskDirectory,
    clock: Clock = .system, logger: Logger
  ) throws {
    let calls = Logger(label: "yijia-gateway.calls") { label in
      JSONLogHandler(label: label) { clock.now }
    }
    self.init(
      routes: try RouteTable(backends: backends.contracted, opaque: backends.opaque),
      callers: CallerResolver(
        directory: try CallerDirectory(configuration), kiosks: kiosks, clock: clock),
      signer: try CallerTokenSigner(
        keyID: configuration.callerToken.keyID,
        seed: try TokenKeyFile.read(configuration.callerToken.privateKeyFile), clock: clock),
      messageBytesMax: configuration.messageBytesMax,
      accessLog: AccessLog(configuration.accessLog, logger: calls), logger: logger)
  }
}

extension Gateway {
  /// What the edge serves: gRPC, gRPC-Web and JSON on one port, and health of its own.
  /// - Throws: ``ConfigurationError`` where a contract's HTTP rule is none.
  public func edge(
    _ configuration: GatewayConfiguration, health: HealthRegistry, logger: Logger
  ) throws -> Dispatcher {
    let origins = BrowserOrigins(configuration.browserOrigins)
    return Dispatcher(
      router: try Router(services: [HealthService(registry: health)]),
      handlers: [
        self, try WebFace(of: self, origins: origins, logger: logger),
        try JSONFace(
          of: self, origins: origins, messageBytesMax: configuration.messageBytesMax,
          logger: logger),
      ], logger: logger)
  }
}
