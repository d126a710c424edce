import Crypto
import RPC
import RPCInProcess
import ServiceKit
import Testing
import YijiaTypeV1

@testable import GatewayCore

@Suite("Callers")
struct CallerTests {
  private static let path = "/grpc.testing.TestService/EmptyCall"

  private func resolver() throws -> CallerResolver {
    let directory = KioskDirectory()
    directory.apply(TestGateway.change(key: TestGateway.kioskKey), version: 1)
    return CallerResolver(
      directory: try CallerDirectory(TestGateway.configuration), kiosks: directory,
      clock: TestGateway.clock)
  }

  private func resolve(_ fields: HeaderList) async throws -> Caller {
    var all: HeaderList = [":method": "POST", ":path": Self.path]
    all.add(contentsOf: fields)
    let peer = Peer(address: "in-process")
    return try await resolver().resolve(RequestHead(fields: all), from: peer).caller
  }

  @Test("a token of the configuration's staff ends streams when it expires")
  func endOfToken() async throws {
    let head = RequestHead(path: Self.path, metadata: TestCaller.viewer.metadata)
    let proven = try await resolver().resolve(head, from: Peer(address: "in-process"))
    // 2027-01-01T00:00:00Z
    #expect(proven.endsAt == 1_798_761_600_000_000)
  }

  @Test("each kind of credential authenticates its caller")
  func kinds() async throws {
    #expect(
      try await resolve(["x-api-key": TestGateway.partnerKey])
        == Caller(kind: .partner, subject: "partners/" + String(repeating: "a", count: 32)))
    #expect(
      try await resolve(["x-api-key": TestGateway.kioskKey])
        == Caller(kind: .kiosk, subject: TestGateway.kiosk, point: TestGateway.point))
    let clerk = try await resolve(["authorization": "Bearer yjs_clerk"])
    #expect(clerk.kind == .staff)
    #expect(clerk.staffRole == .clerk)
    #expect(clerk.organization == TestGateway.organization)
  }

  @Test("the bearer scheme is case-insensitive; other schemes are refused")
  func schemes() async throws {
    #expect(try await resolve(["authorization": "bearer  yjs_clerk"]).kind == .staff)
    #expect(try await resolve(["authorization": "BEARER yjs_clerk"]).kind == .staff)
    for value in ["Basic yjs_clerk", "Bearer", "Bearer ", "yjs_clerk", "Beareryjs_clerk", ""] {
      await #expect(throws: CommonFailure.callerUnproven, "\(value)") {
        try await resolve(["authorization": value])
      }
    }
  }

  @Test(
    "a wrong credential is UNAUTHENTICATED",
    arguments: [
      ["x-api-key": "yjp_wrong"], ["x-api-key": ""], ["x-api-key": "yjs_clerk"],
      ["authorization": "Bearer " + TestGateway.partnerKey],
      ["x-api-key": TestGateway.partnerKey + " "], ["x-api-key": TestGateway.partnerKey + "\u{0}"],
      ["x-api-key": String(repeating: "k", count: 10_000)], [:],
      ["x-api-key-bin": TestGateway.partnerKey], ["api-key": TestGateway.partnerKey],
    ] as [HeaderList])
  func wrong(_ fields: HeaderList) async throws {
    await #expect(throws: CommonFailure.callerUnproven) { try await resolve(fields) }
  }

  @Test("several credentials are refused, even of the same caller")
  func ambiguous() async throws {
    let key = ("x-api-key", TestGateway.partnerKey)
    let token = ("authorization", "Bearer yjs_clerk")
    for pair in [[key, token], [token, key], [key, key], [token, token]] {
      var fields = HeaderList()
      for (name, value) in pair { fields.add(name, value) }
      await #expect(throws: GatewayFailure.credentialsAmbiguous) { try await resolve(fields) }
    }
  }

  @Test("a token expires")
  func expired() async throws {
    await #expect(throws: GatewayFailure.credentialExpired) {
      try await resolve(["authorization": "Bearer " + TestGateway.expiredToken])
    }
  }

  @Test("the service gets a token that identifies the caller to it, and to no other service")
  func token() async throws {
    let probe = EchoProbe()
    let edge = try TestGateway(try InProcessChannel(services: [EchoService(probe)])).edge()
    var metadata = TestCaller.clerk.metadata
    metadata.add("yijia-caller-bin", [1, 2, 3])
    metadata.add("yijia-anything", "forged")
    _ = try await edge.outcome(Self.path, metadata)
    let token = try #require(probe.metadata.value[binary: "yijia-caller-bin"])
    #expect(probe.metadata.value.values("yijia-caller-bin").count == 1)
    #expect(probe.metadata.value[text: "yijia-anything"] == nil)
    let keys = ["gateway-1": Array(TestGateway.signingKey.publicKey.rawRepresentation)]
    let caller = try CallerTokenVerifier(
      audience: "testing", publicKeys: keys, clock: TestGateway.clock
    ).caller(of: token)
    #expect(caller.kind == .staff)
    #expect(caller.staffRole == .clerk)
    #expect(caller.organization == TestGateway.organization)
    let other = try CallerTokenVerifier(
      audience: "members", publicKeys: keys, clock: TestGateway.clock)
    #expect(throws: CommonFailure.callerUnproven) { try other.caller(of: token) }
  }

  @Test("hashes are parsed strictly")
  func hashes() {
    let hex = TestGateway.sha256("x")
    #expect(CredentialHash(hex: hex) == CredentialHash(of: Array("x".utf8)))
    for text in ["", hex.uppercased(), String(hex.dropLast()), hex + "0", "g" + hex.dropFirst()] {
      #expect(CredentialHash(hex: text) == nil)
    }
    #expect(CredentialHash(of: []) == nil)
    #expect(CredentialHash(of: [UInt8](repeating: 1, count: 257)) == nil)
    #expect(CredentialHash(bytes: [1, 2]) == nil)
  }
}
