public import ServiceKit

/// Configuration of yijia-gateway; see `config.example.yaml`. Keys are snake_case in the file.
public struct GatewayConfiguration: CheckedConfiguration, Hashable {
  /// Address of the edge server, which callers connect to.
  public var listen: ListenAddress
  /// The edge server's certificate. Not used with ``plaintext``.
  public var certificate: EdgeCertificate
  /// Whether the edge speaks HTTP/2 without TLS: for tests and measurements only.
  public var plaintext: Bool
  /// Address of the admin server, in plaintext: a loopback address.
  public var admin: ListenAddress
  /// Address of the operators' RPCs over mutual TLS with ``tls``; unused without a ``database``.
  public var operations: ListenAddress
  /// The gateway's workload identity towards the services.
  public var tls: WorkloadFiles
  /// The key that signs caller tokens.
  public var callerToken: CallerTokenSetting
  /// The services by name: `members`, `stations`.
  public var services: [String: ServiceAddress]
  /// Services without a contract, which are forwarded opaquely.
  public var opaqueServices: [OpaqueServiceSetting]
  /// Load balancing over the replicas of each service.
  public var balancing: BalancingSetting
  /// The store of accounts: `sqlite:PATH`, or `postgres://…` for several gateways. Empty for none:
  /// then ``partners`` and ``staff`` are all there are.
  public var database: String
  /// Key files that encrypt the store.
  public var keyrings: KeyringFiles
  /// Partners beside those of the store. They take precedence over it.
  public var partners: [PartnerSetting]
  /// Default limits of partners, for what a partner's own entries do not state.
  public var limits: [LimitSetting]
  /// UTC offset that defines the days of `calls_per_day`, such as `+08:00`.
  public var dayOffset: String
  /// Delivery of members' one-time codes: `none`, `webhook`, or `log` for development.
  public var memberCodeSender: String
  /// The relay that `webhook` posts codes to.
  public var memberCodeWebhook: MemberCodeWebhookSetting
  /// Issuers whose signed tokens (JWT) authenticate partners, staff and members.
  public var tokenIssuers: [TokenIssuerSetting]
  /// Staff accounts beside those of the store.
  public var staff: [StaffSetting]
  /// The longest request message, in bytes.
  public var messageBytesMax: Int
  /// Most connections of callers at once, as far as the process may open files. An idle one is
  /// closed for a further one.
  public var connectionsMax: Int
  /// Origins of pages that may call from a browser; `*` is any.
  public var browserOrigins: [String]
  /// Sampling of the access log.
  public var accessLog: AccessLogSetting
  /// Export of spans.
  public var tracing: TracingSetting
  /// How long a starting gateway waits for a connection to each service before it reports SERVING,
  /// in seconds.
  public var warmupSeconds: Int
  /// How long a stopping gateway takes new connections and calls while its health is NOT_SERVING,
  /// in seconds: as long as a load balancer takes to notice.
  public var shutdownDelaySeconds: Int
  /// How long a stopping gateway then lets running calls finish, in seconds.
  public var drainSeconds: Int
  /// Minimum log level: trace, debug, info, notice, warning, error, critical.
  public var logLevel: String

  enum CodingKeys: String, CodingKey {
    case listen, certificate, plaintext, admin, operations, tls, services, balancing, database
    case keyrings, partners, limits, staff, tracing
    case callerToken = "caller_token"
    case dayOffset = "day_offset"
    case memberCodeSender = "member_code_sender"
    case memberCodeWebhook = "member_code_webhook"
    case tokenIssuers = "token_issuers"
    case opaqueServices = "opaque_services"
    case messageBytesMax = "message_bytes_max"
    case connectionsMax = "connections_max"
    case browserOrigins = "browser_origins"
    case accessLog = "access_log"
    case warmupSeconds = "warmup_seconds"
    case shutdownDelaySeconds = "shutdown_delay_seconds"
    case drainSeconds = "drain_seconds"
    case logLevel = "log_level"
  }

  /// The defaults.
  public init() {
    listen = ListenAddress(host: "127.0.0.1", port: 8443)
    certificate = EdgeCertificate(certificateFile: "gateway.crt", keyFile: "gateway.key")
    plaintext = false
    admin = ListenAddress(host: "127.0.0.1", port: 9443)
    operations = ListenAddress(host: "127.0.0.1", port: 10_443)
    tls = WorkloadFiles(name: "gateway")
    callerToken = CallerTokenSetting(keyID: "gateway-1", privateKeyFile: "caller-token.key")
    services = [
      "members": ServiceAddress(targets: ["127.0.0.1:7101"], identity: "spiffe://yijia/members"),
      "stations": ServiceAddress(targets: ["127.0.0.1:7102"], identity: "spiffe://yijia/stations"),
    ]
    opaqueServices = []
    balancing = BalancingSetting()
    database = "sqlite:gateway.sqlite"
    keyrings = KeyringFiles(name: "gateway")
    memberCodeSender = "none"
    memberCodeWebhook = MemberCodeWebhookSetting()
    tokenIssuers = []
    partners = []
    limits = [LimitSetting(callsPerSecond: 1_000, burst: 10_000, streamsMax: 1_000)]
    dayOffset = "+08:00"
    staff = []
    messageBytesMax = 4 << 20
    connectionsMax = 20_000
    browserOrigins = []
    accessLog = AccessLogSetting(successShare: 1, failureShare: 1)
    tracing = TracingSetting()
    warmupSeconds = 10
    shutdownDelaySeconds = 0
    drainSeconds = 20
    logLevel = "info"
  }
}

/// The edge server's certificate, in PEM files.
public struct EdgeCertificate: Codable, Sendable, Hashable {
  /// Certificate chain, leaf first.
  public var certificateFile: String
  /// Private key.
  public var keyFile: String
  /// Trusted authorities of client certificates; empty: clients are asked for none.
  public var clientAuthoritiesFile: String

  enum CodingKeys: String, CodingKey {
    case certificateFile = "certificate_file"
    case keyFile = "key_file"
    case clientAuthoritiesFile = "client_authorities_file"
  }

  public init(certificateFile: String, keyFile: String, clientAuthoritiesFile: String = "") {
    self.certificateFile = certificateFile
    self.keyFile = keyFile
    self.clientAuthoritiesFile = clientAuthoritiesFile
  }
}

/// The key that signs caller tokens.
public struct CallerTokenSetting: Codable, Sendable, Hashable {
  /// Key id, which services select the public key by.
  public var keyID: String
  /// File with the raw Ed25519 key in base64.
  public var privateKeyFile: String

  enum CodingKeys: String, CodingKey {
    case keyID = "key_id"
    case privateKeyFile = "private_key_file"
  }

  public init(keyID: String, privateKeyFile: String) {
    self.keyID = keyID
    self.privateKeyFile = privateKeyFile
  }
}

/// A service without a contract, forwarded opaquely under the policy stated here.
public struct OpaqueServiceSetting: Codable, Sendable, Hashable {
  /// Full name, for example `grpc.testing.TestService`; `*`, with `anyone`: every other service.
  public var service: String
  /// `host:port` of every replica.
  public var targets: [String]
  /// Workload identity that the service's certificate must state; empty for plaintext.
  public var identity: String
  /// Kinds of caller that may call every method: partner, kiosk, staff; or `anyone` alone, without
  /// authentication: for measurements, in plaintext on a loopback address.
  public var callers: [String]
  /// Minimum role of a staff caller: viewer, clerk, administrator; required if `callers` has staff.
  public var staffRole: String
  /// Audience of the caller token sent with each call; empty for none.
  public var audience: String
  /// Names of methods that have metrics of their own; all others are counted together.
  public var methods: [String]
  /// Names of idempotent methods with one request message; they are retried, and have metrics of
  /// their own.
  public var idempotentMethods: [String]
  /// Whether replicas are watched by `grpc.health.v1`.
  public var healthCheck: Bool

  enum CodingKeys: String, CodingKey {
    case service, targets, identity, callers, audience, methods
    case healthCheck = "health_check"
    case staffRole = "staff_role"
    case idempotentMethods = "idempotent_methods"
  }

  public init(
    service: String, targets: [String], identity: String = "", callers: [String],
    staffRole: String = "", audience: String = "", methods: [String] = [],
    idempotentMethods: [String] = [], healthCheck: Bool = true
  ) {
    self.service = service
    self.targets = targets
    self.identity = identity
    self.callers = callers
    self.staffRole = staffRole
    self.audience = audience
    self.methods = methods
    self.idempotentMethods = idempotentMethods
    self.healthCheck = healthCheck
  }

  /// Fields other than `service`, `targets` and `callers` are optional.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    service = try values.decode(String.self, forKey: .service)
    targets = try values.decode([String].self, forKey: .targets)
    identity = try values.decodeIfPresent(String.self, forKey: .identity) ?? ""
    callers = try values.decode([String].self, forKey: .callers)
    staffRole = try values.decodeIfPresent(String.self, forKey: .staffRole) ?? ""
    audience = try values.decodeIfPresent(String.self, forKey: .audience) ?? ""
    methods = try values.decodeIfPresent([String].self, forKey: .methods) ?? []
    idempotentMethods =
      try values.decodeIfPresent([String].self, forKey: .idempotentMethods) ?? []
    healthCheck = try values.decodeIfPresent(Bool.self, forKey: .healthCheck) ?? true
  }
}

/// A platform partner and its API key.
public struct PartnerSetting: Codable, Sendable, Hashable {
  /// Identifier: 32 lower-case hex digits.
  public var id: String
  /// Display name.
  public var name: String
  /// SHA-256 of the key's text, 64 hex digits. Keys hold 256 random bits, so the hash reveals
  /// nothing. Empty: the partner authenticates otherwise, as by
  /// ``GatewayConfiguration/tokenIssuers``.
  public var apiKeySHA256: String
  /// Identities of client certificates, in the form of ``CertificateIdentity``.
  public var certificates: [String]
  /// Paths of the methods it may call, such as `/yijia.members.v1.MembersService/GetMember`; empty
  /// for all that the policy allows partners.
  public var methods: [String]
  /// The partner's own limits, which override the defaults.
  public var limits: [LimitSetting]

  enum CodingKeys: String, CodingKey {
    case id, name, certificates, methods, limits
    case apiKeySHA256 = "api_key_sha256"
  }

  public init(
    id: String, name: String, apiKeySHA256: String = "", certificates: [String] = [],
    methods: [String] = [], limits: [LimitSetting] = []
  ) {
    self.id = id
    self.name = name
    self.apiKeySHA256 = apiKeySHA256
    self.certificates = certificates
    self.methods = methods
    self.limits = limits
  }

  /// Fields other than `id` and `name` are optional.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    id = try values.decode(String.self, forKey: .id)
    name = try values.decode(String.self, forKey: .name)
    apiKeySHA256 = try values.decodeIfPresent(String.self, forKey: .apiKeySHA256) ?? ""
    certificates = try values.decodeIfPresent([String].self, forKey: .certificates) ?? []
    methods = try values.decodeIfPresent([String].self, forKey: .methods) ?? []
    limits = try values.decodeIfPresent([LimitSetting].self, forKey: .limits) ?? []
  }
}

/// A staff member and the hash of their token.
public struct StaffSetting: Codable, Sendable, Hashable {
  /// Identifier: 32 lower-case hex digits.
  public var id: String
  /// SHA-256 of the token's text, 64 hex digits.
  public var tokenSHA256: String
  /// Identifier of the organization whose subtree is the member's scope; empty for the whole tree,
  /// which administrators have.
  public var organization: String
  /// viewer, clerk or administrator.
  public var role: String
  /// Expiry of the token, in RFC 3339: `2027-01-01T00:00:00Z`.
  public var expireTime: String

  enum CodingKeys: String, CodingKey {
    case id, organization, role
    case tokenSHA256 = "token_sha256"
    case expireTime = "expire_time"
  }

  public init(
    id: String, tokenSHA256: String, organization: String, role: String, expireTime: String
  ) {
    self.id = id
    self.tokenSHA256 = tokenSHA256
    self.organization = organization
    self.role = role
    self.expireTime = expireTime
  }
}

/// Sampling of the access log: shares from 0 (none) to 1 (all).
public struct AccessLogSetting: Codable, Sendable, Hashable {
  /// Share of calls that ended with OK.
  public var successShare: Double
  /// Share of all other calls.
  public var failureShare: Double

  enum CodingKeys: String, CodingKey {
    case successShare = "success_share"
    case failureShare = "failure_share"
  }

  public init(successShare: Double, failureShare: Double) {
    self.successShare = successShare
    self.failureShare = failureShare
  }
}
