import Crypto
import Foundation
import GRPCTesting
import GatewayV1
import RPC
import RPCInProcess
import ServiceKit
import Storage
import TestStores
import Testing

@testable import GatewayCore

@Suite("Partners' certificates")
struct PartnerCertificateTests {
  private static let der = Array("a certificate".utf8)
  private static let fingerprint =
    "sha256:" + SHA256.hash(data: der).map { String(format: "%02x", $0) }.joined()
  private static let uri = "spiffe://platform.example/backend"

  private static func peer(
    der: [UInt8] = der, uris: [String] = [], dnsNames: [String] = [],
    endsAt: Foundation.Date = .distantFuture
  ) -> Peer {
    Peer(
      address: "192.0.2.7:4711",
      certificate: PeerCertificate(
        der: der, uris: uris, dnsNames: dnsNames, expiresAt: endsAt.microseconds), isTLS: true)
  }

  private static func add(
    _ identity: String, to partner: Partner, in world: AccountsWorld, methods: [String] = [],
    expires: Foundation.Date? = nil
  ) async throws -> PartnerCertificate {
    var request = CreatePartnerCertificateRequest()
    request.requestID = AccountsWorld.newRequestID()
    request.partner = partner.name
    var certificate = PartnerCertificate()
    certificate.displayName = "生产环境"
    certificate.identity = identity
    certificate.methods = methods
    certificate.expireTime = expires.map { .init(microseconds: $0.microseconds) }
    request.certificate = certificate
    let made = try await world.accounts.createPartnerCertificate(
      request, options: AccountsWorld.root)
    return made.certificate ?? certificate
  }

  private static func revoke(
    _ certificate: PartnerCertificate, in world: AccountsWorld
  ) async throws -> PartnerCertificate? {
    var request = RevokePartnerCertificateRequest()
    request.requestID = AccountsWorld.newRequestID()
    request.name = certificate.name
    request.reason = "lost"
    return try await world.accounts.revokePartnerCertificate(
      request, options: AccountsWorld.root
    ).certificate
  }

  /// The reason with which a call with only a certificate is refused; nil is OK.
  private static func reason(
    _ peer: Peer, in world: AccountsWorld, _ metadata: Metadata = [:]
  ) async throws -> String? {
    let edge = try world.gateway.edge(peer: peer)
    return try await edge.outcome(AccountsWorld.echoPath, metadata)?.gatewayReason
  }

  private static func reason(_ body: () async throws -> Void) async -> String? {
    do {
      try await body()
      return nil
    } catch {
      return (error as? RPCError)?.gatewayReason ?? "\(error)"
    }
  }

  @Test(
    "a certificate authenticates its partner, by fingerprint and by name, until it is revoked",
    arguments: Engine.allCases)
  func proves(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let partner = try await world.partner()
      let known = [
        (Self.fingerprint, Self.peer()), ("URI:" + Self.uri, Self.peer(der: [9], uris: [Self.uri])),
        ("DNS:backend.example", Self.peer(der: [8], dnsNames: ["x", "Backend.Example"])),
      ]
      for (identity, peer) in known {
        #expect(try await Self.reason(peer, in: world) == "CALLER_UNPROVEN")
        let made = try await Self.add(identity, to: partner, in: world)
        #expect(made.identity == identity && made.name.hasPrefix(partner.name + "/certificates/"))
        #expect(try await Self.reason(peer, in: world) == nil)
        #expect(world.probe.metadata.value[binary: "yijia-caller-bin"] != nil)
        let revoked = try await Self.revoke(made, in: world)
        #expect(revoked?.revokeTime != nil)
        #expect(try await Self.reason(peer, in: world) == "CALLER_UNPROVEN")
        #expect(try await Self.revoke(made, in: world) == revoked, "it stays so")
        // A revoked identity may be registered again.
        _ = try await Self.add(identity, to: partner, in: world)
        #expect(try await Self.reason(peer, in: world) == nil)
      }
      try await world.disable(partner)
      for (_, peer) in known {
        #expect(try await Self.reason(peer, in: world) == "CALLER_UNPROVEN")
      }
    }
  }

  @Test("an expired certificate authenticates nobody, nor does an expired registration")
  func ends() async throws {
    try await AccountsWorld.with(.sqlite) { world in
      let partner = try await world.partner()
      let now = world.now.value
      _ = try await Self.add(
        Self.fingerprint, to: partner, in: world, expires: now.addingTimeInterval(60))
      _ = try await Self.add("URI:" + Self.uri, to: partner, in: world)
      let short = Self.peer(der: [9], uris: [Self.uri], endsAt: now.addingTimeInterval(60))
      #expect(try await Self.reason(Self.peer(), in: world) == nil)
      #expect(try await Self.reason(short, in: world) == nil)
      world.pass(60)
      #expect(try await Self.reason(Self.peer(), in: world) == "CREDENTIAL_EXPIRED")
      #expect(try await Self.reason(short, in: world) == "CREDENTIAL_EXPIRED")
    }
  }

  @Test("a request's credential takes precedence over the certificate")
  func precedence() async throws {
    try await AccountsWorld.with(.sqlite) { world in
      let partner = try await world.partner()
      _ = try await Self.add(Self.fingerprint, to: partner, in: world)
      let wrong = AccountsWorld.key("yjp_" + String(repeating: "0", count: 64))
      #expect(try await Self.reason(Self.peer(), in: world, wrong) == "CALLER_UNPROVEN")
      let own = AccountsWorld.key(TestGateway.partnerKey)
      #expect(try await Self.reason(Self.peer(), in: world, own) == nil)
      let methods = ["/yijia.members.v1.MembersService/GetEnrollment"]
      let limited = try await world.partner("另一平台")
      _ = try await Self.add("URI:" + Self.uri, to: limited, in: world, methods: methods)
      let other = Self.peer(der: [9], uris: [Self.uri])
      #expect(try await Self.reason(other, in: world) == "METHOD_NOT_GRANTED")
    }
  }

  @Test("a stream ends when its certificate is revoked, and when it expires")
  func streams() async throws {
    try await AccountsWorld.with(.sqlite) { world in
      let partner = try await world.partner()
      let made = try await Self.add("URI:" + Self.uri, to: partner, in: world)
      func edge(_ seconds: TimeInterval) throws -> InProcessChannel {
        let end = world.now.value.addingTimeInterval(seconds)
        return try world.gateway.edge(peer: Self.peer(uris: [Self.uri], endsAt: end))
      }
      func stream(
        on edge: InProcessChannel
      ) async throws -> ResponseStream<StreamingOutputCallResponse> {
        let call = try await TestServiceClient(edge).fullDuplexCall()
        try await call.send(StreamingOutputCallRequest())
        return call.responses
      }
      let (soon, late) = (try edge(0.2), try edge(3_600))
      var short = try await stream(on: soon).makeAsyncIterator()
      var long = try await stream(on: late).makeAsyncIterator()
      _ = try await short.next()
      _ = try await long.next()
      world.pass(1)
      let ended = await #expect(throws: RPCError.self) { _ = try await short.next() }
      #expect(ended?.gatewayReason == "CALLER_UNPROVEN")
      _ = try await Self.revoke(made, in: world)
      let revoked = await #expect(throws: RPCError.self) { _ = try await long.next() }
      #expect(revoked?.gatewayReason == "CALLER_UNPROVEN")
    }
  }

  @Test("a stream ends when its certificate is given to another partner")
  func moved() async throws {
    try await AccountsWorld.with(.sqlite) { world in
      let (partner, other) = (try await world.partner(), try await world.partner("另一平台"))
      let made = try await Self.add("URI:" + Self.uri, to: partner, in: world)
      let edge = try world.gateway.edge(peer: Self.peer(uris: [Self.uri]))
      let call = try await TestServiceClient(edge).fullDuplexCall()
      try await call.send(StreamingOutputCallRequest())
      var responses = call.responses.makeAsyncIterator()
      _ = try await responses.next()
      _ = try await Self.revoke(made, in: world)
      _ = try await Self.add("URI:" + Self.uri, to: other, in: world)
      let ended = await #expect(throws: RPCError.self) { _ = try await responses.next() }
      #expect(ended?.gatewayReason == "CALLER_UNPROVEN")
      #expect(try await Self.reason(Self.peer(uris: [Self.uri]), in: world) == nil)
    }
  }

  @Test("an expired registration does not hide a valid one")
  func shadowed() async throws {
    try await AccountsWorld.with(.sqlite) { world in
      let partner = try await world.partner()
      let soon = world.now.value.addingTimeInterval(10)
      _ = try await Self.add(Self.fingerprint, to: partner, in: world, expires: soon)
      _ = try await Self.add("URI:" + Self.uri, to: partner, in: world)
      let peer = Self.peer(uris: [Self.uri])
      #expect(try await Self.reason(peer, in: world) == nil)
      world.pass(11)
      #expect(try await Self.reason(peer, in: world) == nil)
      #expect(try await Self.reason(Self.peer(), in: world) == "CREDENTIAL_EXPIRED")
    }
  }

  @Test(
    "requests of pages are distinguished from those of programs and of the address bar",
    arguments: [
      ([:], false), (["sec-fetch-site": "none"], false), (["origin": "https://evil.example"], true),
      (["origin": "null"], true), (["sec-fetch-site": "cross-site"], true),
      (["sec-fetch-site": "same-origin"], true),
    ] as [(HeaderList, Bool)])
  func pages(_ fields: HeaderList, _ isFromPage: Bool) {
    var list: HeaderList = [":method": "POST", ":path": "/v1/enrollments"]
    list.add(contentsOf: fields)
    #expect(BrowserOrigins.isFromPage(RequestHead(fields: list)) == isFromPage)
  }

  @Test(
    "an identity belongs to one partner; twenty are valid; all are in the audit log and the list")
  func rules() async throws {
    try await AccountsWorld.with(.sqlite) { world in
      let (partner, other) = (try await world.partner(), try await world.partner("另一平台"))
      let first = try await Self.add(Self.fingerprint, to: partner, in: world)
      #expect(
        await Self.reason { _ = try await Self.add(Self.fingerprint, to: other, in: world) }
          == "CERTIFICATE_TAKEN")
      for index in 1..<20 {
        _ = try await Self.add("DNS:host-\(index).example", to: partner, in: world)
      }
      #expect(
        await Self.reason { _ = try await Self.add("DNS:more.example", to: partner, in: world) }
          == "TOO_MANY_CERTIFICATES")
      var list = ListPartnerCertificatesRequest()
      list.partner = partner.name
      list.pageSize = 15
      var names: [String] = []
      repeat {
        let page = try await world.accounts.listPartnerCertificates(
          list, options: AccountsWorld.root)
        names += page.certificates.map(\.name)
        list.pageToken = page.nextPageToken
      } while !list.pageToken.isEmpty
      #expect(Set(names).count == 20 && names.contains(first.name))
      var missing = first
      missing.name = partner.name + "/certificates/" + String(repeating: "0", count: 32)
      #expect(
        await Self.reason { _ = try await Self.revoke(missing, in: world) }
          == "CERTIFICATE_NOT_FOUND")
    }
  }

  @Test(
    "malformed identities are refused, and the suite's own workloads",
    arguments: [
      "", "sha256:", "sha256:ABC", "sha256:" + String(repeating: "A", count: 64), "URI:", "URI:x",
      "URI:spiffe://yijia/gateway", "URI:a b:c", "DNS:", "DNS:*.example", "DNS:Upper.example",
      "DNS:-x", "CN=partner", "URI:a:" + String(repeating: "x", count: 500),
    ])
  func identities(_ text: String) {
    #expect(CertificateIdentity(text) == nil)
  }

  @Test("a workload name of the suite authenticates no partner, whatever its authority")
  func workloads() throws {
    let certificate = PeerCertificate(
      der: [1], uris: ["spiffe://yijia/gateway"] + (0..<9).map { "spiffe://x/\($0)" })
    let hashes = CertificateIdentity.hashes(of: certificate)
    #expect(hashes.count <= 5, "a few names are looked at")
    #expect(!hashes.contains(CredentialHash(sha256Of: Array("URI:spiffe://yijia/gateway".utf8))))
  }

  @Test("an unknown certificate is looked up again only after a while, or a change")
  func unknown() async throws {
    try await Engine.sqlite.withStore { stores in
      try await stores.with { database in
        try await database.migrate(GatewayMigrations.all)
        let now = Shared(TestGateway.clock.now)
        let directory = AccountDirectory(database: database, clock: Clock { now.value })
        let identity = try #require(CertificateIdentity(Self.fingerprint))
        func isKnown() async throws -> Bool {
          try await directory.find(identity.hash, .certificate) != nil
        }
        func store(_ number: Int, sha256: [UInt8]) async throws {
          let id = String(repeating: "\(number)", count: 32)
          let time = now.value.microseconds
          var commit = Commit(at: now.value)
          PartnerStore.insert(
            StoredPartner(
              id: id, version: 1, displayName: "", state: .active, methods: [], createdAt: time,
              updatedAt: time), into: &commit)
          PartnerCertificateStore.insert(
            StoredPartnerCertificate(
              id: id, partner: id, displayName: "", identity: identity.text, sha256: sha256,
              methods: [], createdAt: time), into: &commit)
          try await database.write(commit)
        }
        #expect(try await !isKnown())
        // This replica is not notified: it does not follow the feed.
        try await store(1, sha256: identity.hash.bytes)
        #expect(try await !isKnown(), "the store is not asked again")
        now.update { $0.addTimeInterval(10) }
        #expect(try await isKnown())
        directory.forget("partners/" + String(repeating: "1", count: 32))
        let other = try #require(CredentialHash(of: Array("other".utf8)))
        #expect(try await directory.find(other, .certificate) == nil)
        try await store(2, sha256: other.bytes)
        directory.forget("partners/of another gateway's event")
        #expect(try await directory.find(other, .certificate) != nil, "any change makes it void")
      }
    }
  }
}
