import Foundation
import RPC
import RPCInProcess
import ServiceKit
import Testing

@testable import GatewayCore

@Suite("Configuration")
struct ConfigurationTests {
  private func parse(_ text: String) throws -> GatewayConfiguration {
    let configuration = try parseConfiguration(
      GatewayConfiguration.self, defaults: GatewayConfiguration(), text: text, file: "test.yaml")
    try configuration.validate()
    return configuration
  }

  @Test("the shown configuration contains no password of a URL")
  func hidden() {
    for (url, shown) in [
      ("postgres://yijia:pa:ss@word@db/gateway", "postgres://yijia:hidden@db/gateway"),
      ("postgres://yijia@db/gateway", "postgres://yijia@db/gateway"),
      (
        "postgresql:///gateway?host=/run&p%61ssword=x&sslpassword=y",
        "postgresql:///gateway?host=/run&p%61ssword=hidden&sslpassword=hidden"
      ),
      ("sqlite:gateway.sqlite", "sqlite:gateway.sqlite"),
      ("https://idp.example/token/keys", "https://idp.example/token/keys"),
    ] {
      let fields = AdminPages.hiding(["database": url]) as? [String: String]
      #expect(fields?["database"] == shown)
    }
  }

  @Test("what needs the store is refused where there is none")
  func storeURL() throws {
    var configuration = GatewayConfiguration()
    #expect(try configuration.storeURL() == configuration.database)
    configuration.database = ""
    #expect(throws: ConfigurationError.self) { try configuration.storeURL() }
  }

  @Test("the admin port accepts IP addresses and localhost only as its authority")
  func adminHosts() {
    for host in ["127.0.0.1:9000", "[::1]:9000", "localhost:9000", "LOCALHOST", "10.0.0.1", nil] {
      #expect(AdminPages.isAddress(host), "\(host ?? "none")")
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "1.2.3", "localhost.evil.example:1"] {
      #expect(!AdminPages.isAddress(host), "\(host)")
    }
  }

  @Test("a service open to anyone stays open for its idempotent methods")
  func openIdempotent() throws {
    var setting = OpaqueServiceSetting(
      service: "a.B", targets: ["127.0.0.1:1"], callers: ["anyone"], audience: "a")
    setting.idempotentMethods = ["Get"]
    let channel = try InProcessChannel(services: [EchoService()])
    let backends = Contract.all.map {
      ($0.audience, Backend(name: $0.audience, channel: channel, audience: nil))
    }
    let routes = try RouteTable(
      backends: Dictionary(uniqueKeysWithValues: backends),
      opaque: [(setting, Backend(name: "a", channel: channel, audience: nil))])
    #expect(routes["/a.B/Get"]?.isOpen == true)
    #expect(routes["/a.B/Get"]?.traits.isIdempotent == true)
  }

  @Test("the example states the defaults, and is valid")
  func example() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../services/gateway/config.example.yaml").standardized
    let text = try String(contentsOf: file, encoding: .utf8)
    #expect(try parse(text) == GatewayConfiguration())
    #expect(try parse("") == GatewayConfiguration())
  }

  @Test("the commented-out parts of the example are valid")
  func exampleEntries() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../services/gateway/config.example.yaml").standardized
    let text = try String(contentsOf: file, encoding: .utf8)
    let shown = text.split(separator: "\n", omittingEmptySubsequences: false)
      .filter { !$0.hasPrefix("partners: []") && !$0.hasPrefix("staff: []") }
      .filter { !$0.hasPrefix("opaque_services: []") && !$0.hasPrefix("token_issuers: []") }
      .map { $0.hasPrefix("#|") ? $0.dropFirst(2) : $0 }.joined(separator: "\n")
    let configuration = try parse(shown)
    #expect(configuration.partners.count == 1)
    #expect(configuration.staff.count == 1)
    #expect(configuration.opaqueServices.count == 1)
    #expect(configuration.tokenIssuers.first?.scopes.count == 1)
  }

  @Test("a file states only what differs")
  func overlay() throws {
    let configuration = try parse(
      """
      listen: {port: 18443}
      services:
        members: {targets: ["10.0.0.1:7101", "10.0.0.2:7101"]}
      """)
    #expect(configuration.listen == ListenAddress(host: "127.0.0.1", port: 18_443))
    #expect(configuration.services["members"]?.targets.count == 2)
    #expect(configuration.services["members"]?.identity == "spiffe://yijia/members")
    #expect(configuration.services["stations"]?.targets == ["127.0.0.1:7102"])
  }

  private static let id = String(repeating: "a", count: 32)
  private static let hash = String(repeating: "0", count: 64)
  private static let issuer = "issuer: x, audience: y, keys_file: z"

  @Test(
    "an invalid value is refused with the field's name",
    arguments: [
      ("listen: {port: 70000}", "listen.port"),
      ("listn: {port: 1}", "listn"),
      ("listen: {prt: 1}", "listen.prt"),
      ("listen: {port: high}", "listen.port"),
      ("tracing: {collector: \"collector.example:4317\"}", "tracing.collector"),
      ("admin: {host: 0.0.0.0}", "admin.host"),
      ("operations: {port: -1}", "operations.port"),
      ("message_bytes_max: 0", "message_bytes_max"),
      ("connections_max: 0", "connections_max"),
      ("drain_seconds: -1", "drain_seconds"),
      ("log_level: loud", "log_level"),
      ("access_log: {success_share: 2}", "access_log.success_share"),
      ("caller_token: {key_id: ''}", "caller_token.key_id"),
      ("services: {members: {targets: []}}", "services.members.targets"),
      ("services: {members: {targets: [here]}}", "services.members.targets"),
      ("services: {members: {identity: foo}}", "services.members.identity: as spiffe://"),
      (
        "opaque_services: [{service: a.B, targets: ['a:1'], callers: [staff], identity: foo}]",
        "opaque_services[0].identity"
      ),
      ("services: {aid: {targets: ['a:1'], identity: x}}", "services.aid"),
      ("partners: [{id: 1, name: x, api_key_sha256: \(hash)}]", "partners[0].id"),
      ("partners: [{id: \(id), name: x, api_key_sha256: secret}]", "partners[0].api_key_sha256"),
      ("partners: [{id: \(id), api_key_sha256: '\(hash)'}]", "partners[0].name"),
      (
        "partners: [{id: \(id), name: x, api_key_sha256: '\(hash)', methods: [/a.B/C]}]",
        "partners[0].methods"
      ),
      (
        "partners: [{id: \(id), name: x, api_key_sha256: '\(hash)', scope: all}]",
        "partners[0].scope"
      ),
      (
        "partners: [{id: \(id), name: x, api_key_sha256: '\(hash)'},"
          + "{id: \(id), name: y, api_key_sha256: '\(hash)'}]", "partners[1].id: stated twice"
      ),
      ("limits: [{calls_per_second: -1}]", "limits[0].calls_per_second"),
      ("limits: [{calls_per_second: 1, burst: 0}]", "limits[0].burst"),
      ("limits: [{burst: 5}]", "limits[0].burst: it goes with"),
      ("limits: [{streams_max: -1}]", "limits[0].streams_max"),
      ("limits: [{message_bytes_max: -1}]", "limits[0].message_bytes_max"),
      ("limits: [{methods: [/a.B/C]}]", "limits[0].methods: there is no /a.B/C"),
      ("limits: [{streams_max: 1}, {streams_max: 2}]", "limits[1]: another entry is for all"),
      ("limits: [{calls_per_day: -1}]", "limits[0].calls_per_day"),
      ("{limits: [{calls_per_day: 5}], database: ''}", "calls_per_day needs a database"),
      ("day_offset: Shanghai", "day_offset"),
      ("limits: [{streams: 1}]", "limits[0].streams"),
      (
        "partners: [{id: \(id), name: x, api_key_sha256: '\(hash)', limits: [{streams_max: -1}]}]",
        "partners[0].limits[0].streams_max"
      ),
      (
        "staff: [{id: \(id), token_sha256: '\(hash)', organization: '', role: boss,"
          + " expire_time: soon}]", "staff[0].expire_time"
      ),
      (
        "opaque_services: [{service: a.B, targets: ['a:1'], callers: [service]}]",
        "opaque_services[0].callers"
      ),
      (
        "opaque_services: [{service: a.B, targets: ['a:1'], callers: []}]",
        "opaque_services[0].callers"
      ),
      (
        "opaque_services: [{service: a.B, targets: ['a:1'], callers: [staff]}]",
        "opaque_services[0].staff_role"
      ),
      (
        "opaque_services: [{service: a.B, targets: ['a:1'], callers: [anyone]}]",
        "opaque_services[0].callers"
      ),
      (
        "{plaintext: true, listen: {host: 0.0.0.0, port: 1}, opaque_services:"
          + " [{service: a.B, targets: ['a:1'], callers: [anyone]}]}",
        "opaque_services[0].callers"
      ),
      (
        "opaque_services: [{service: '*', targets: ['a:1'], callers: [partner]}]",
        "opaque_services[0].service"
      ),
      (
        "opaque_services: [{service: yijia.members.v1.MembersService, targets: ['a:1'],"
          + " callers: [partner]}]", "opaque_services[0].service"
      ),
      ("token_issuers: [{issuer: x, audience: y}]", "token_issuers[0].keys_file"),
      ("token_issuers: [{\(issuer), algorithms: []}]", "token_issuers[0].algorithms"),
      ("token_issuers: [{\(issuer), algorithms: [none]}]", "token_issuers[0].algorithms"),
      ("token_issuers: [{\(issuer), algorithms: [HS256]}]", "token_issuers[0].algorithms"),
      ("token_issuers: [{\(issuer), algorithms: [ES256]}]", "token_issuers[0].subjects"),
      (
        "token_issuers: [{\(issuer), algorithms: [ES256], subject_kind: kiosk}]",
        "token_issuers[0].subject_kind"
      ),
      (
        "token_issuers: [{\(issuer), algorithms: [ES256], clock_skew_seconds: 301}]",
        "token_issuers[0].clock_skew_seconds"
      ),
      (
        "token_issuers: [{\(issuer), algorithms: [ES256], subjects: [{subject: a, partner: 1}]}]",
        "token_issuers[0].subjects[0]: either partner or staff"
      ),
      (
        "token_issuers: [{\(issuer), algorithms: [ES256], subject_kind: partner,"
          + " scopes: [{scope: a, methods: [/a.B/C]}]}]", "token_issuers[0].scopes[0].methods"
      ),
    ])
  func wrong(_ text: String, _ field: String) throws {
    let error = #expect(throws: ConfigurationError.self) { try parse(text) }
    #expect(error?.description.contains(field) == true, "\(error as Any)")
  }

  @Test("every fault is reported at once")
  func several() throws {
    let error = #expect(throws: ConfigurationError.self) {
      try parse("{listen: {port: -1}, drain_seconds: 9999, log_level: x}")
    }
    for field in ["listen.port", "drain_seconds", "log_level"] {
      #expect(error?.description.contains(field) == true)
    }
  }

  @Test("unknown keys and wrong types are reported with every other fault")
  func mixed() throws {
    let error = #expect(throws: ConfigurationError.self) {
      try parse(
        """
        listn: {port: 1}
        admin: {port: high}
        drain_seconds: 9999
        services: {members: {identity: foo}}
        partners: [{name: a}, {id: x, name: b, methods: all}]
        """)
    }
    for fault in [
      "listn: unknown key", "admin.port: expected a whole number", "drain_seconds: 0 to 600",
      "services.members.identity: as", "partners[0].id: missing", "partners[1].id: 32 lower-case",
      "partners[1].methods: expected a list",
    ] {
      #expect(error?.description.contains(fault) == true, "\(fault)")
    }
    #expect(error?.description.contains("partners[0].id: 32") == false)
  }
}
