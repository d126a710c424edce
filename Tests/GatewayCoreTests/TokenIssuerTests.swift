import Crypto
import Foundation
import GRPCTesting
import GatewayV1
import RPC
import RPCInProcess
import ServiceKit
import TestStores
import Testing
import YijiaTypeV1

@testable import GatewayCore

private let point = TestIssuer.base64(TestIssuer.key?.publicKey.rawRepresentation ?? Data())
private let namedKey = #"{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "\#(point)"}"#

@Suite("Signed tokens")
struct TokenIssuerTests {
  private static let now = TestGateway.clock.microseconds
  private static let seconds = Int(now / 1_000_000)
  private static let minute: Int64 = 60_000_000

  private static func named(
    _ token: String, by issuers: TokenIssuers, at time: Int64 = now
  ) async throws -> NamedAccount {
    try await issuers.named(Array(token.utf8), at: time).account
  }

  /// Runs with a key file that the test may change.
  private func withFile(_ text: String, _ body: (String) async throws -> Void) async throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).keys")
    try Data(text.utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    try await body(file.path)
  }

  @Test("a token names a caller by its subject, until it expires plus the clock skew")
  func named() async throws {
    let issuers = try TokenIssuers([TestIssuer.setting()])
    let token = try TestIssuer.token()
    #expect(try await Self.named(token, by: issuers) == .partner(TestIssuer.partner))
    let staff = try TestIssuer.token(["sub": #""alice""#, "aud": #"["x", "yijia"]"#])
    #expect(try await Self.named(staff, by: issuers) == .staff(TestIssuer.staff))
    let member = try TestIssuer.token(["sub": #""\#(TestIssuer.member)""#])
    #expect(try await Self.named(member, by: issuers) == .member(TestIssuer.member))
    let end = Self.now + 630_000_000
    #expect(try await Self.named(token, by: issuers, at: end - 1) == .partner(TestIssuer.partner))
    await #expect(throws: GatewayFailure.credentialExpired) {
      try await Self.named(token, by: issuers, at: end)
    }
    let late = try TestIssuer.token(["exp": "\(Self.seconds - 31)"])
    await #expect(throws: GatewayFailure.credentialExpired) {
      try await Self.named(late, by: issuers)
    }
  }

  @Test(
    "tokens that another program signed with the keys of a file are accepted, by every algorithm",
    arguments: ["issuer.jwks", "issuer.pem"])
  func algorithms(_ file: String) async throws {
    let lines = try String(contentsOfFile: TestIssuer.fixture("issuer-tokens.tsv"), encoding: .utf8)
      .split(separator: "\n").filter { !$0.hasPrefix("#") }.map { $0.split(separator: "\t") }
    #expect(Set(lines.map { String($0[0]) }) == IssuerKey.algorithms)
    for line in lines {
      let (algorithm, token) = (String(line[0]), String(line[1]))
      let allowed = try TokenIssuers([
        TestIssuer.setting(keysFile: TestIssuer.fixture(file), algorithms: [algorithm])
      ])
      #expect(
        try await Self.named(token, by: allowed) == .partner(TestIssuer.partner), "\(algorithm)")
      let others = IssuerKey.algorithms.subtracting([algorithm]).sorted()
      let denied = try TokenIssuers([
        TestIssuer.setting(keysFile: TestIssuer.fixture(file), algorithms: others)
      ])
      await #expect(throws: CommonFailure.callerUnproven, "\(algorithm)") {
        try await Self.named(token, by: denied)
      }
    }
  }

  @Test("an invalid token authenticates nobody")
  func wrong() async throws {
    let whole = try TestIssuer.token()
    let parts = whole.split(separator: ".").map(String.init)
    let none = TestIssuer.base64(#"{"alg":"none","kid":"ed"}"#.utf8)
    // The classic attack: the public key as the secret of an HMAC.
    let hmac = TestIssuer.base64(#"{"alg":"HS256","kid":"ed"}"#.utf8) + "." + parts[1]
    let secret = SymmetricKey(data: TestIssuer.key?.publicKey.rawRepresentation ?? Data())
    let code = HMAC<SHA256>.authenticationCode(for: Data(hmac.utf8), using: secret)
    let deep = String(repeating: "[", count: 3_000)
    var tampered = Array(whole.utf8)
    tampered[tampered.count - 10] ^= 1
    let tokens: [(String, [UInt8])] = [
      ("other key", Array(try TestIssuer.token(by: .init()).utf8)), ("tampered", tampered),
      ("no end", Array(try TestIssuer.token(["exp": ""]).utf8)),
      ("huge end", Array(try TestIssuer.token(["exp": "1e300"]).utf8)),
      ("end as text", Array(try TestIssuer.token(["exp": #""9999999999""#]).utf8)),
      ("not yet", Array(try TestIssuer.token(["nbf": "\(Self.seconds + 31)"]).utf8)),
      ("made later", Array(try TestIssuer.token(["iat": "\(Self.seconds + 31)"]).utf8)),
      ("audience", Array(try TestIssuer.token(["aud": #""other""#]).utf8)),
      ("no audience", Array(try TestIssuer.token(["aud": ""]).utf8)),
      ("issuer", Array(try TestIssuer.token(["iss": #""https://evil.example""#]).utf8)),
      ("subject", Array(try TestIssuer.token(["sub": #""nobody""#]).utf8)),
      ("path as subject", Array(try TestIssuer.token(["sub": #""members/1""#]).utf8)),
      ("no kid", Array(try TestIssuer.token(header: #"{"alg":"EdDSA"}"#).utf8)),
      ("no such kid", Array(try TestIssuer.token(header: #"{"alg":"EdDSA","kid":"x"}"#).utf8)),
      ("kid of RSA", Array(try TestIssuer.token(header: #"{"alg":"EdDSA","kid":"rsa"}"#).utf8)),
      (
        "critical",
        Array(
          try TestIssuer.token(header: #"{"alg":"EdDSA","kid":"ed","crit":["x"]}"#).utf8)
      ),
      (
        "other algorithm",
        Array(
          try TestIssuer.token(header: #"{"alg":"RS256","kid":"ed"}"#).utf8)
      ),
      ("none", Array("\(none).\(parts[1]).".utf8)),
      ("none, signed", Array("\(none).\(parts[1]).\(parts[2])".utf8)),
      ("HMAC", Array("\(hmac).\(TestIssuer.base64(code))".utf8)),
      ("empty", Array("..".utf8)), ("no base64", Array("@.@.@".utf8)),
      ("unsigned", Array("\(parts[0]).\(parts[1]).".utf8)),
      ("deep", Array("\(parts[0]).\(TestIssuer.base64(deep.utf8)).\(parts[2])".utf8)),
      ("long", Array((whole + String(repeating: "A", count: 9_000)).utf8)),
      ("bad UTF-8", [0xff, 0x2e, 0xfe, 0x2e, 0xfd]),
    ]
    let issuers = try TokenIssuers([
      TestIssuer.setting(algorithms: IssuerKey.algorithms.sorted())
    ])
    for (name, token) in tokens {
      await #expect(throws: CommonFailure.callerUnproven, "\(name)") {
        try await issuers.named(token, at: Self.now)
      }
    }
    let soon = try TestIssuer.token([
      "nbf": "\(Self.seconds + 30)", "iat": "\(Self.seconds + 30)",
    ])
    #expect(try await Self.named(soon, by: issuers) == .partner(TestIssuer.partner))
  }

  @Test("a changed key file is read again; an invalid one changes nothing")
  func rotation() async throws {
    let jwks = try String(contentsOfFile: TestIssuer.jwks, encoding: .utf8)
    try await withFile(jwks) { file in
      let issuers = try TokenIssuers([TestIssuer.setting(keysFile: file)])
      let token = try TestIssuer.token(["exp": "\(Self.seconds + 3_600)"])
      #expect(try await Self.named(token, by: issuers) == .partner(TestIssuer.partner))
      try Data(#"{"keys": ["#.utf8).write(to: URL(filePath: file))
      #expect(
        try await Self.named(token, by: issuers, at: Self.now + Self.minute)
          == .partner(TestIssuer.partner))
      let other = Curve25519.Signing.PrivateKey()
      let pem = """
        -----BEGIN PUBLIC KEY-----
        \(Self.pem(of: other.publicKey))
        -----END PUBLIC KEY-----
        """
      try Data(pem.utf8).write(to: URL(filePath: file))
      // Tokens verified with the old keys are not accepted from the cache either.
      await #expect(throws: CommonFailure.callerUnproven) {
        try await Self.named(token, by: issuers, at: Self.now + 2 * Self.minute)
      }
      let new = try TestIssuer.token(by: other)
      #expect(
        try await Self.named(new, by: issuers, at: Self.now + 2 * Self.minute)
          == .partner(TestIssuer.partner))
    }
  }

  /// SubjectPublicKeyInfo of an Ed25519 key (RFC 8410, 4).
  private static func pem(of key: Curve25519.Signing.PublicKey) -> String {
    let prefix: [UInt8] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]
    return Data(prefix + key.rawRepresentation).base64EncodedString()
  }

  @Test(
    "symmetric, short and unnamed keys and malformed JWKS are refused at start",
    arguments: [
      "", "{}", "[]", #"{"keys": []}"#,
      #"{"keys": [{"kty": "oct", "kid": "k", "k": "AAAA"}]}"#,
      #"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": "AA", "y": "AA"}]}"#,
      #"{"keys": [{"kty": "RSA", "kid": "k", "n": "AQAB", "e": "AQAB"}]}"#,
      #"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "\#(point)"}]}"#,
      #"{"keys": [\#(namedKey), \#(namedKey)]}"#,
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
      "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    ])
  func files(_ text: String) async throws {
    try await withFile(text) { file in
      let error = #expect(throws: ConfigurationError.self) {
        try TokenIssuers([TestIssuer.setting(keysFile: file)])
      }
      #expect("\(error as Any)".contains("token_issuers[0].keys_file"))
    }
  }

  @Test("an unsupported key does not hide a supported one")
  func unknownKeys() async throws {
    let others =
      #"{"kty": "EC", "crv": "secp256k1", "kid": "k1", "x": "AA", "y": "AA"}, "#
      + #"{"kty": "oct", "kid": "k2", "k": "AAAA"}, {"kty": "AKP", "kid": "k3"}, 7"#
    try await withFile(#"{"keys": [\#(others), \#(namedKey)]}"#) { file in
      let issuers = try TokenIssuers([TestIssuer.setting(keysFile: file)])
      let token = try TestIssuer.token(header: #"{"alg":"EdDSA","kid":"k"}"#)
      #expect(try await Self.named(token, by: issuers) == .partner(TestIssuer.partner))
    }
  }

  @Test("scopes restrict what a token grants, as words and as a list")
  func scopes() async throws {
    let (read, write) = ("/a.B/Read", "/a.B/Write")
    let issuers = try TokenIssuers([
      TestIssuer.setting(scopes: [
        TokenScopeSetting(scope: "read", methods: [read]),
        TokenScopeSetting(scope: "write", methods: [write]),
      ])
    ])
    func paths(_ scope: String) async throws -> Set<String>? {
      let token = try TestIssuer.token(["scope": scope])
      return try await issuers.named(Array(token.utf8), at: Self.now).grant.paths
    }
    #expect(try await paths(#""read""#) == [read])
    #expect(try await paths(#""openid read  write""#) == [read, write])
    #expect(try await paths(#"["write", "openid"]"#) == [write])
    for nothing in ["", "\"\"", #""admin""#, "7", "null", #"{"read": true}"#] {
      #expect(try await paths(nothing) == [])
    }
  }

  @Test("a token calls as the partner or staff that it names, and within its scopes")
  func calls() async throws {
    let backend = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [AnyBackend()]))
    let get = "/yijia.members.v1.MembersService/GetEnrollment"
    let edge = try TestGateway(
      backend,
      issuers: [TestIssuer.setting(scopes: [TokenScopeSetting(scope: "get", methods: [get])])]
    ).edge()
    func reason(_ path: String, _ claims: [String: String]) async throws -> String? {
      let options = AccountsWorld.bearer(try TestIssuer.token(claims))
      return try await edge.outcome(path, options.metadata)?.gatewayReason
    }
    #expect(try await reason(get, ["scope": #""get""#]) == nil)
    #expect(try await reason(get, [:]) == "METHOD_NOT_GRANTED")
    let submit = "/yijia.members.v1.MembersService/SubmitEnrollment"
    #expect(try await reason(submit, ["scope": #""get""#]) == "METHOD_NOT_GRANTED")
    #expect(try await reason(get, ["sub": #""x""#]) == "CALLER_UNPROVEN")
    #expect(
      try await reason(get, ["exp": "\(Self.seconds - 60)"]) == "CREDENTIAL_EXPIRED")
  }

  @Test(
    "a token for a partner of the store is accepted while the partner is active",
    arguments: Engine.allCases)
  func ofTheStore(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine, issuers: [TestIssuer.setting(kind: "partner")]) { world in
      let partner = try await world.partner()
      let token = TestIssuer.token(of: String(partner.name.suffix(32)))
      #expect(try await world.call(AccountsWorld.echoPath, token) == nil)
      try await world.disable(partner)
      #expect(try await world.call(AccountsWorld.echoPath, token) == "CALLER_UNPROVEN")
      let stranger = TestIssuer.token(of: String(repeating: "f", count: 32))
      #expect(try await world.call(AccountsWorld.echoPath, stranger) == "CALLER_UNPROVEN")
    }
  }

  @Test("a stream ends with its token, and with its partner")
  func streams() async throws {
    try await AccountsWorld.with(.sqlite, issuers: [TestIssuer.setting(kind: "partner")]) { world in
      let partner = try await world.partner()
      func stream(_ exp: String) async throws -> ResponseStream<StreamingOutputCallResponse> {
        let token = try TestIssuer.token([
          "sub": #""\#(partner.name.suffix(32))""#, "exp": exp,
        ])
        let call = try await TestServiceClient(world.edge)
          .fullDuplexCall(options: AccountsWorld.bearer(token))
        try await call.send(StreamingOutputCallRequest())
        return call.responses
      }
      // The skew is 30 seconds, and the clock stands: the token expires 0.2 seconds from now.
      var short = try await stream("\(Double(Self.seconds) - 29.8)").makeAsyncIterator()
      var long = try await stream("\(Self.seconds + 600)").makeAsyncIterator()
      _ = try await short.next()
      _ = try await long.next()
      world.pass(1)
      let ended = await #expect(throws: RPCError.self) { _ = try await short.next() }
      #expect(ended?.gatewayReason == "CALLER_UNPROVEN")
      try await world.disable(partner)
      let disabled = await #expect(throws: RPCError.self) { _ = try await long.next() }
      #expect(disabled?.gatewayReason == "CALLER_UNPROVEN")
    }
  }
}
