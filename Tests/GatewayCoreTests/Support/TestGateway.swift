import Crypto
import Foundation
import GRPCTesting
import Logging
import RPC
import RPCInProcess
import ServiceKit
import StationsV1
import Testing
import YijiaTypeV1

@testable import GatewayCore

/// A gateway with one caller of each kind, in front of a backend given by the test.
struct TestGateway {
  static let partnerKey = "yjp_0123456789abcdef"
  static let limitedKey = "yjp_limited"
  static let kioskKey = "yk_0123456789abcdef"
  /// The name in the certificate that authenticates the partner.
  static let certificateName = "URI:spiffe://partner.example/backend"
  static let certified = Peer(
    address: "192.0.2.1:5000",
    certificate: PeerCertificate(der: [1, 2, 3], uris: ["spiffe://partner.example/backend"]),
    isTLS: true)
  static let tokens = ["viewer": "yjs_viewer", "clerk": "yjs_clerk", "administrator": "yjs_admin"]
  static let expiredToken = "yjs_expired"
  /// The token of an administrator of the whole tree.
  static let rootToken = "yjs_root"
  static let kiosk = "kiosks/" + String(repeating: "d", count: 32)
  static let organization = String(repeating: "c", count: 32)
  static let point = String(repeating: "e", count: 32)
  static let signingKey = Curve25519.Signing.PrivateKey()
  /// 2026-11-21T00:00:00Z
  static let clock = Clock { Date(timeIntervalSince1970: 1_795_219_200) }

  /// Whether callers are on their backend's loop, so that calls need no task.
  @TaskLocal static var isDirect = true

  let gateway: Gateway
  private let backend: any Channel
  let kiosks: KioskDirectory
  let lines = Shared<[String]>([])

  /// - Parameters:
  ///   - backend: The backend of every service, and of the opaque `grpc.testing.TestService`.
  ///   - store: With a store the gateway serves its own services.
  ///   - issuers: The issuers of signed tokens.
  ///   - idempotentMethods: Those of the opaque service, which are known to take one message.
  init(
    _ backend: any Channel, kiosks: KioskDirectory? = nil, store: GatewayStore? = nil,
    codes: MemberCodes? = nil,
    messageBytesMax: Int = 4 << 20,
    accessLog: AccessLogSetting = AccessLogSetting(successShare: 1, failureShare: 1),
    limits: [LimitSetting] = [], limitClock: LimitClock = .system,
    issuers: [TokenIssuerSetting] = [TestIssuer.setting()], tracing: CallTracing? = nil,
    idempotentMethods: [String] = []
  ) throws {
    self.backend = backend
    let seed = Array(Self.signingKey.rawRepresentation)
    let clock = store?.clock ?? Self.clock
    let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    var settings = Self.configuration
    settings.tokenIssuers = issuers
    settings.limits = limits
    settings.partners[0].certificates = [Self.certificateName]
    var opaque = OpaqueServiceSetting(
      service: "grpc.testing.TestService", targets: ["127.0.0.1:1"],
      callers: ["partner", "kiosk", "staff"], staffRole: "viewer", audience: "testing")
    opaque.idempotentMethods = idempotentMethods
    settings.opaqueServices = [opaque]
    let own = try store.map {
      try OwnServices(
        store: $0, configuration: settings,
        codes: codes ?? MemberCodes(sender: nil, registry: backend), keyID: "gateway-1",
        seed: seed, clock: clock, logger: quiet)
    }
    let backends = Contract.all.map { contract in
      let name = contract.audience
      let plain = Backend(name: name, channel: backend, audience: name)
      return (name, name == Contract.own.audience ? own?.backend ?? plain : plain)
    }
    self.kiosks = kiosks ?? Self.directory()
    let lines = lines
    let log = AccessLog(accessLog, clock: Self.clock) { line in
      lines.update { $0.append(String(decoding: line, as: UTF8.self)) }
    }
    let routes = try RouteTable(
      backends: Dictionary(uniqueKeysWithValues: backends),
      opaque: [(opaque, Backend(name: "testing", channel: backend, audience: "testing"))])
    gateway = Gateway(
      routes: routes,
      callers: CallerResolver(
        directory: try CallerDirectory(settings), kiosks: self.kiosks, store: store,
        clock: clock),
      signer: try CallerTokenSigner(keyID: "gateway-1", seed: seed, clock: clock),
      messageBytesMax: messageBytesMax,
      limits: LimitBook(
        limits, paths: routes.limitedPaths, quotas: store?.quotas, clock: limitClock),
      accessLog: log, tracing: tracing, clock: clock, logger: quiet)
  }

  /// The channel of external callers.
  func edge(peer: Peer = Peer(address: "in-process")) throws -> InProcessChannel {
    let dispatcher = Dispatcher(
      router: try Router(services: [HealthService(registry: HealthRegistry())]),
      handlers: [gateway])
    guard Self.isDirect, let inner = backend as? InProcessChannel else {
      return InProcessChannel(dispatcher, peer: peer)
    }
    return InProcessChannel(dispatcher, loop: inner.loop, peer: peer)
  }

  static var configuration: GatewayConfiguration {
    var configuration = GatewayConfiguration()
    configuration.partners = [
      PartnerSetting(
        id: String(repeating: "a", count: 32), name: "Partner", apiKeySHA256: sha256(partnerKey)),
      PartnerSetting(
        id: String(repeating: "b", count: 32), name: "Limited", apiKeySHA256: sha256(limitedKey),
        methods: ["/yijia.members.v1.MembersService/GetEnrollment"]),
    ]
    configuration.staff = tokens.sorted { $0.key < $1.key }.enumerated().map { index, entry in
      StaffSetting(
        id: String(repeating: "\(index)", count: 32), tokenSHA256: sha256(entry.value),
        organization: organization, role: entry.key, expireTime: "2027-01-01T00:00:00Z")
    }
    configuration.staff.append(
      StaffSetting(
        id: String(repeating: "8", count: 32), tokenSHA256: sha256(rootToken), organization: "",
        role: "administrator", expireTime: "2100-01-01T00:00:00Z"))
    configuration.staff.append(
      StaffSetting(
        id: String(repeating: "9", count: 32), tokenSHA256: sha256(expiredToken),
        organization: organization, role: "administrator", expireTime: "2026-11-20T00:00:00Z"))
    return configuration
  }

  private static func directory() -> KioskDirectory {
    let directory = KioskDirectory()
    directory.apply(change(key: kioskKey), version: 1)
    directory.setStanding(.current)
    return directory
  }

  static func change(key: String, revoked: Bool = false) -> KioskChanged {
    var change = KioskChanged()
    change.kiosk = kiosk
    change.point = "points/\(point)"
    change.apiKeySHA256 = Array(SHA256.hash(data: Array(key.utf8)))
    change.revoked = revoked
    return change
  }

  static func sha256(_ text: String) -> String {
    SHA256.hash(data: Array(text.utf8)).map { byte in
      String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
    }.joined()
  }
}

/// Runs a suite's tests twice: with calls that need no task, and with calls that run in one.
struct BothWays: SuiteTrait, TestTrait, TestScoping {
  let isRecursive = true

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    for isDirect in [true, false] {
      try await TestGateway.$isDirect.withValue(isDirect) { try await function() }
    }
  }
}

extension Trait where Self == BothWays {
  static var bothWays: Self { Self() }
}

/// One caller of each kind, as metadata.
enum TestCaller: String, CaseIterable, Sendable {
  case nobody, partner, kiosk, viewer, clerk, administrator, member
  /// Authenticated by a signed token.
  case signedPartner, signedAdministrator
  /// Authenticated by a client certificate.
  case certifiedPartner

  /// The peer that it calls from.
  var peer: Peer {
    self == .certifiedPartner ? TestGateway.certified : Peer(address: "in-process")
  }

  /// The subject of its signed token; nil for other credentials.
  private var subject: String? {
    switch self {
    case .signedPartner: "backend"
    case .signedAdministrator: "alice"
    case .member: TestIssuer.member
    default: nil
    }
  }

  var metadata: Metadata {
    switch self {
    case .signedPartner, .signedAdministrator, .member:
      ["authorization": .text("Bearer " + TestIssuer.token(of: subject ?? ""))]
    case .nobody, .certifiedPartner: [:]
    case .partner: ["x-api-key": .text(TestGateway.partnerKey)]
    case .kiosk: ["x-api-key": .text(TestGateway.kioskKey)]
    case .viewer, .clerk, .administrator:
      ["authorization": .text("Bearer " + (TestGateway.tokens[rawValue] ?? ""))]
    }
  }

  var options: CallOptions {
    var options = CallOptions()
    options.metadata = metadata
    return options
  }
}

extension Channel {
  /// Makes a raw call with an empty message; nil is OK.
  func outcome(
    _ path: String, _ metadata: Metadata = [:], timeout: Duration? = nil
  ) async throws -> RPCError? {
    let exchange = try await openExchange(
      RequestHead(path: path, metadata: metadata, timeout: timeout))
    // A call that is refused at once may not accept a body.
    try? await exchange.send([0, 0, 0, 0, 0])
    await exchange.finish()
    return try await exchange.outcome()
  }
}

extension ClientExchange {
  /// The status sent by the server; nil is OK.
  func outcome() async throws -> RPCError? {
    let head = try await head()
    while try await nextChunk() != nil {}
    return StatusFields.outcome(head: head, trailers: await trailers())
  }
}

extension TestGateway {
  static let echoPath = "/grpc.testing.TestService/EmptyCall"

  /// Runs with an in-process echo backend.
  static func withEcho(
    messageBytesMax: Int = 4 << 20,
    _ body: (TestServiceClient, EchoProbe, InProcessChannel) async throws -> Void
  ) async throws {
    let probe = EchoProbe()
    let backend = try InProcessChannel(services: [EchoService(probe)])
    let edge = try TestGateway(backend, messageBytesMax: messageBytesMax).edge()
    try await body(TestServiceClient(edge), probe, edge)
  }
}
