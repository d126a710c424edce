/// What every service's configuration has in common. Keys are snake_case in the file.
public struct ServiceConfiguration: CheckedConfiguration, Hashable {
  /// Where the service listens for gRPC over mutual TLS.
  public var listen: ListenAddress
  /// Where health is asked for, in plaintext: a loopback address.
  public var admin: ListenAddress
  /// The service's workload identity.
  public var tls: WorkloadFiles
  /// The store: `sqlite:PATH` or `postgres://…`; see `openDatabase`.
  public var database: String
  /// Files of the keys that guard the data.
  public var keyrings: KeyringFiles
  /// Public keys of the gateway's caller tokens.
  public var callerTokenKeys: [CallerTokenKey]
  /// How long events of the feed are kept for consumers that are away, in days.
  public var feedRetentionDays: Int
  /// How long a stopping service lets running calls finish, in seconds.
  public var drainSeconds: Int
  /// Least level that is logged: trace, debug, info, notice, warning, error, critical.
  public var logLevel: String

  enum CodingKeys: String, CodingKey {
    case listen, admin, tls, database, keyrings
    case callerTokenKeys = "caller_token_keys"
    case feedRetentionDays = "feed_retention_days"
    case drainSeconds = "drain_seconds"
    case logLevel = "log_level"
  }

  /// The defaults of a service: `name` names its files, `port` is where it listens, `port + 2000`
  /// its admin port.
  public init(name: String, port: Int) {
    listen = ListenAddress(host: "127.0.0.1", port: port)
    admin = ListenAddress(host: "127.0.0.1", port: port + 2_000)
    tls = WorkloadFiles(name: name)
    database = "sqlite:\(name).sqlite"
    keyrings = KeyringFiles(name: name)
    callerTokenKeys = [CallerTokenKey(id: "gateway-1", publicKeyFile: "caller-token.pub")]
    feedRetentionDays = 90
    drainSeconds = 20
    logLevel = "info"
  }

  /// Returns the faults of the fields, as `FIELD: what it may be`, for ``Faults``.
  public func faults() -> [String] {
    var wrong: [String] = []
    if !(0...65_535).contains(listen.port) { wrong.append("listen.port: 0 to 65535") }
    if !(0...65_535).contains(admin.port) { wrong.append("admin.port: 0 to 65535") }
    if !admin.isLoopback { wrong.append("admin.host: \(ListenAddress.loopbackText)") }
    if !["sqlite:", "postgres://", "postgresql://"].contains(where: database.hasPrefix) {
      wrong.append("database: sqlite:PATH or postgres://…")
    }
    if !(1...3_660).contains(feedRetentionDays) { wrong.append("feed_retention_days: 1 to 3660") }
    if !(0...600).contains(drainSeconds) { wrong.append("drain_seconds: 0 to 600") }
    if callerTokenKeys.isEmpty { wrong.append("caller_token_keys: at least one") }
    return wrong + LogLevel.faults(logLevel, at: "log_level")
  }
}

/// A host and port to listen on; port 0 takes a free one.
public struct ListenAddress: Codable, Sendable, Hashable {
  /// A name or an IP address.
  public var host: String
  /// The TCP port, 0 to 65535.
  public var port: Int

  /// Creates an address; nothing is resolved or checked.
  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  /// Whether what is sent there stays on this machine.
  public var isLoopback: Bool { Self.loopbackHosts.contains(host) }

  /// Hosts that plaintext does not leave.
  public static let loopbackHosts: Set = ["127.0.0.1", "::1", "localhost"]

  /// What the host of an admin port may be, for ``Faults``.
  public static let loopbackText = "a loopback address, for it is plaintext"
}

/// Files of a workload's mutual TLS, in PEM.
public struct WorkloadFiles: Codable, Sendable, Hashable {
  /// Certificate chain; its SAN is `spiffe://yijia/<service>`.
  public var certificateFile: String
  /// Private key.
  public var keyFile: String
  /// Authority that the other side's certificate must come from.
  public var authorityFile: String

  enum CodingKeys: String, CodingKey {
    case certificateFile = "certificate_file"
    case keyFile = "key_file"
    case authorityFile = "authority_file"
  }

  /// The default files of the service `name`, in the working directory.
  public init(name: String) {
    certificateFile = "\(name).crt"
    keyFile = "\(name).key"
    authorityFile = "authority.crt"
  }
}

/// Files of keys, each for one purpose and readable by its owner only.
public struct KeyringFiles: Codable, Sendable, Hashable {
  /// Keys that encrypt fields.
  public var fieldsFile: String
  /// Keys of the hashes by which encrypted fields are found.
  public var hashesFile: String
  /// Keys that authenticate page tokens.
  public var pageTokensFile: String

  enum CodingKeys: String, CodingKey {
    case fieldsFile = "fields_file"
    case hashesFile = "hashes_file"
    case pageTokensFile = "page_tokens_file"
  }

  /// The default files of the service `name`, in the working directory.
  public init(name: String) {
    fieldsFile = "\(name)-fields.keyring"
    hashesFile = "\(name)-hashes.keyring"
    pageTokensFile = "\(name)-page-tokens.keyring"
  }
}

/// A public key that checks the gateway's caller tokens.
public struct CallerTokenKey: Codable, Sendable, Hashable {
  /// Identifier of the key, as tokens name it.
  public var id: String
  /// File with the raw Ed25519 key in base64.
  public var publicKeyFile: String

  enum CodingKeys: String, CodingKey {
    case id
    case publicKeyFile = "public_key_file"
  }

  /// Creates the entry of a key; its file is read at the start.
  public init(id: String, publicKeyFile: String) {
    self.id = id
    self.publicKeyFile = publicKeyFile
  }
}

/// How a service reaches another one.
public struct ServiceAddress: Codable, Sendable, Hashable {
  /// `host:port` of every replica.
  public var targets: [String]
  /// Workload that must answer, as in its certificate: `spiffe://yijia/<service>`.
  public var identity: String

  /// Creates an address; ``faults(at:allowsPlaintext:)`` tells what is wrong with it.
  public init(targets: [String], identity: String) {
    self.targets = targets
    self.identity = identity
  }

  /// Returns the faults of the fields, for ``Faults``.
  ///
  /// - Parameters:
  ///   - field: The address's name in the messages.
  ///   - allowsPlaintext: Whether the identity may be empty: no TLS.
  public func faults(at field: String, allowsPlaintext: Bool) -> [String] {
    var wrong = Self.faults(ofTargets: targets, at: "\(field).targets")
    let scheme = "spiffe://"
    let isName = identity.hasPrefix(scheme) && identity.utf8.allSatisfy { 0x21...0x7E ~= $0 }
    let parts = identity.dropFirst(scheme.count)
      .split(separator: "/", omittingEmptySubsequences: false)
    if !(identity.isEmpty && allowsPlaintext),
      !isName || parts.count < 2 || parts.contains(where: \.isEmpty)
    {
      let orEmpty = allowsPlaintext ? ", or empty for plaintext" : ""
      wrong.append("\(field).identity: as spiffe://yijia/members\(orEmpty)")
    }
    return wrong
  }

  /// Returns the faults of a list of addresses, for ``Faults``.
  public static func faults(ofTargets targets: [String], at field: String) -> [String] {
    if targets.isEmpty { return ["\(field): at least one host:port"] }
    return targets.filter { !isHostPort($0) }.map { "\(field): \($0) is not host:port" }
  }

  private static func isHostPort(_ text: String) -> Bool {
    guard !text.contains("/"), let colon = text.lastIndex(of: ":"), colon > text.startIndex,
      let port = Int(text[text.index(after: colon)...])
    else { return false }
    return (1...65_535).contains(port)
  }
}
