import Foundation
import GatewayV1
import GoogleProtobuf
import Logging
import RPC
import RPCInProcess
import ServiceKit
import Storage
import TestStores
import YijiaTypeV1

@testable import GatewayCore

/// A gateway with a store of its own, on either engine, in front of an echo backend.
struct AccountsWorld {
  static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  static let echoPath = TestGateway.echoPath
  static let requestID = "00000000-0000-4000-8000-000000000001"

  let stores: TestStore
  let database: any Database
  let store: GatewayStore
  let probe: EchoProbe
  let gateway: TestGateway
  let edge: InProcessChannel
  /// The time of the clock; initially 2026-11-21T00:00:00Z.
  let now: Shared<Date>

  /// Runs with a gateway whose account feed is followed.
  static func with(
    _ engine: Engine, codes: MemberCodes? = nil, backend: (any RPC.Channel)? = nil,
    issuers: [TokenIssuerSetting] = [],
    _ body: (AccountsWorld) async throws -> Void
  ) async throws {
    try await engine.withStore { stores in
      try await stores.with { database in
        try await database.migrate(GatewayMigrations.all)
        let now = Shared(TestGateway.clock.now)
        let keys = GatewayKeys(
          fields: try ring(), hashes: try ring(), pageTokens: try ring())
        let cheap = PasswordHasher(cost: PasswordHash.Cost(logarithm: 4, parallelism: 1))
        let store = GatewayStore(
          database: database, keys: keys, passwords: cheap, clock: Clock { now.value })
        let probe = EchoProbe()
        let echo = try InProcessChannel(services: [EchoService(probe)])
        let gateway = try TestGateway(
          backend ?? echo, store: store, codes: codes, issuers: issuers)
        let world = AccountsWorld(
          stores: stores, database: database, store: store, probe: probe, gateway: gateway,
          edge: try gateway.edge(), now: now)
        try await world.following(store) { try await body(world) }
      }
    }
  }

  /// Returns another gateway on the same store.
  func replica(
    _ body: (GatewayStore, InProcessChannel) async throws -> Void
  ) async throws {
    let now = now
    let other = GatewayStore(database: database, keys: store.keys, clock: Clock { now.value })
    let echo = try InProcessChannel(services: [EchoService(probe)])
    let edge = try TestGateway(echo, store: other).edge()
    try await following(other) { try await body(other, edge) }
  }

  private func following(
    _ store: GatewayStore, _ body: () async throws -> Void
  ) async throws {
    let feed = AccountFeed(store, logger: Self.quiet)
    async let _ = feed.run()
    async let _ = store.errands.run(logger: Self.quiet)
    async let _ = store.quotas.run(logger: Self.quiet)
    try await body()
  }

  private static func ring() throws -> LiveKeyring {
    LiveKeyring(Keyring.generate(at: TestGateway.clock.now))
  }

  var accounts: AccountsServiceClient { AccountsServiceClient(edge) }

  /// Options of an administrator of the whole tree.
  static var root: CallOptions { bearer(TestGateway.rootToken) }

  static func bearer(_ token: String) -> CallOptions {
    var options = CallOptions()
    options.metadata = ["authorization": .text("Bearer \(token)")]
    return options
  }

  static func key(_ secret: String) -> Metadata { ["x-api-key": .text(secret)] }

  static func newRequestID() -> String { UUID().uuidString.lowercased() }

  /// Creates a partner without a key.
  func partner(_ name: String = "平台", methods: [String] = []) async throws -> Partner {
    var request = CreatePartnerRequest()
    request.requestID = Self.newRequestID()
    var partner = Partner()
    partner.displayName = name
    partner.methods = methods
    request.partner = partner
    let created = try await accounts.createPartner(request, options: Self.root).partner
    return created ?? partner
  }

  func keyRequest(
    _ partner: Partner, methods: [String] = [], expires: Date? = nil,
    requestID: String = Self.newRequestID()
  ) -> CreatePartnerKeyRequest {
    var request = CreatePartnerKeyRequest()
    request.requestID = requestID
    request.partner = partner.name
    var key = PartnerKey()
    key.methods = methods
    key.expireTime = expires.map { .init(microseconds: $0.microseconds) }
    request.key = key
    return request
  }

  /// Creates a valid key, and returns its secret.
  func key(
    _ partner: Partner, methods: [String] = [], expires: Date? = nil
  ) async throws -> (key: PartnerKey, secret: String) {
    let made = try await accounts.createPartnerKey(
      keyRequest(partner, methods: methods, expires: expires), options: Self.root)
    return (made.key ?? PartnerKey(), made.secret)
  }

  func revoke(_ key: PartnerKey) async throws {
    var request = RevokePartnerKeyRequest()
    request.requestID = Self.newRequestID()
    request.name = key.name
    request.reason = "lost"
    _ = try await accounts.revokePartnerKey(request, options: Self.root)
  }

  func disable(_ partner: Partner) async throws {
    var request = DisablePartnerRequest()
    request.requestID = Self.newRequestID()
    request.name = partner.name
    request.reason = "contract ended"
    _ = try await accounts.disablePartner(request, options: Self.root)
  }

  /// The reason with which a call with that key is refused; nil is OK.
  func reason(_ secret: String) async throws -> String? {
    try await edge.outcome(Self.echoPath, Self.key(secret))?.gatewayReason
  }

  func pass(_ seconds: TimeInterval) { now.update { $0.addTimeInterval(seconds) } }
}

extension AccountsWorld {
  var sessions: SessionsServiceClient { SessionsServiceClient(edge) }

  /// The current time step of authenticators.
  var step: Int64 { now.value.microseconds / 1_000_000 / OneTimePassword.stepSeconds }

  func staff(_ userName: String, role: StaffRole = .clerk) async throws -> CreateStaffResponse {
    var request = CreateStaffRequest()
    request.requestID = Self.newRequestID()
    request.staff = StaffAccount()
    request.staff?.userName = userName
    request.staff?.displayName = "工作人员"
    request.staff?.role = role
    request.staff?.organization = "organizations/\(TestGateway.organization)"
    return try await accounts.createStaff(request, options: Self.root)
  }

  func signIn(
    _ userName: String, _ password: String, _ code: String = ""
  ) async throws -> SignInResponse {
    var request = SignInRequest()
    request.userName = userName
    request.password = password
    request.totpCode = code
    return try await sessions.signIn(request)
  }

  /// The reason with which a sign-in is refused.
  func refusal(_ userName: String, _ password: String, _ code: String = "") async throws -> String {
    do {
      _ = try await signIn(userName, password, code)
      return "signed in"
    } catch let error as RPCError {
      return error.gatewayReason ?? "\(error)"
    }
  }

  func changePassword(_ token: String, _ old: String, _ new: String) async throws {
    var request = ChangePasswordRequest()
    request.password = old
    request.newPassword = new
    _ = try await sessions.changePassword(request, options: Self.bearer(token))
  }

  /// Returns a token of an account that has changed its temporary password.
  func settled(_ userName: String, _ password: String) async throws -> String {
    let made = try await staff(userName)
    let token = try await signIn(userName, made.temporaryPassword).token
    try await changePassword(token, made.temporaryPassword, password)
    return token
  }

  /// The reason with which a call with that token is refused; nil is OK.
  func call(_ path: String, _ token: String) async throws -> String? {
    let error = try await edge.outcome(path, Self.bearer(token).metadata)
    return error?.gatewayReason
  }
}
