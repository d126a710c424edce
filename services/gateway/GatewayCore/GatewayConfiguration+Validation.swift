import Foundation
import RPC
import ServiceKit
import YijiaTypeV1

extension GatewayConfiguration {
  /// Upper bound of `message_bytes_max`: a stream's memory grows with it.
  private static let messageBytesLimit = 64 << 20

  /// Checks each field by itself and returns what is wrong.
  public func faults() -> [String] {
    var wrong =
      edgeFaults() + serviceFaults() + balancing.faults() + tracing.faults() + partnerFaults()
      + staffFaults() + issuerFaults() + certificateFaults()
    wrong += LimitSetting.faults(limits, at: "limits", knows: counts)
    for (index, service) in opaqueServices.enumerated() {
      wrong += service.faults(at: "opaque_services[\(index)]")
      if service.isOpen, !plaintext || !listen.isLoopback {
        wrong.append(
          "opaque_services[\(index)].callers: anyone is for measurements: plaintext, loopback")
      }
      if opaqueServices[..<index].contains(where: { $0.service == service.service }) {
        wrong.append("opaque_services[\(index)].service: stated twice")
      }
    }
    return wrong
  }

  /// Returns the fields that differ from a running gateway's and cannot change without a restart.
  func fixedFaults(running: GatewayConfiguration) -> [String] {
    var wrong: [String] = []
    if listen != running.listen { wrong.append("listen") }
    if plaintext != running.plaintext { wrong.append("plaintext") }
    if admin != running.admin { wrong.append("admin") }
    if operations != running.operations { wrong.append("operations") }
    if tracing != running.tracing { wrong.append("tracing") }
    if database != running.database { wrong.append("database") }
    if keyrings != running.keyrings { wrong.append("keyrings") }
    if dayOffset != running.dayOffset { wrong.append("day_offset") }
    if connectionsMax != running.connectionsMax { wrong.append("connections_max") }
    return wrong.map { "\($0): cannot change while the gateway runs; restart it" }
  }

  private func edgeFaults() -> [String] {
    var wrong: [String] = []
    for (name, address) in [("listen", listen), ("admin", admin), ("operations", operations)]
    where !(0...65_535).contains(address.port) {
      wrong.append("\(name).port: 0 to 65535")
    }
    if !admin.isLoopback { wrong.append("admin.host: \(ListenAddress.loopbackText)") }
    if !(1...Self.messageBytesLimit).contains(messageBytesMax) {
      wrong.append("message_bytes_max: 1 to \(Self.messageBytesLimit)")
    }
    if !(1...1_000_000).contains(connectionsMax) { wrong.append("connections_max: 1 to 1000000") }
    for (index, origin) in browserOrigins.enumerated() where !BrowserOrigins.isOrigin(origin) {
      wrong.append("browser_origins[\(index)]: as https://console.example.org, or *")
    }
    if !["sqlite:", "postgres://", "postgresql://"].contains(where: database.hasPrefix),
      !database.isEmpty
    {
      wrong.append("database: sqlite:PATH or postgres://…, or empty for none")
    }
    wrong += memberCodeFaults()
    if !(0...600).contains(warmupSeconds) { wrong.append("warmup_seconds: 0 to 600") }
    if !(0...600).contains(shutdownDelaySeconds) {
      wrong.append("shutdown_delay_seconds: 0 to 600")
    }
    if !(0...600).contains(drainSeconds) { wrong.append("drain_seconds: 0 to 600") }
    if DayZone(dayOffset) == nil { wrong.append("day_offset: such as +08:00, within 14 hours") }
    let limits = limits + partners.flatMap(\.limits)
    if database.isEmpty, limits.contains(where: { $0.callsPerDay ?? 0 > 0 }) {
      wrong.append("limits: calls_per_day needs a database")
    }
    for (name, share) in [
      ("success_share", accessLog.successShare), ("failure_share", accessLog.failureShare),
    ] where !(0...1).contains(share) {
      wrong.append("access_log.\(name): 0 to 1")
    }
    if callerToken.keyID.isEmpty { wrong.append("caller_token.key_id: not empty") }
    return wrong + LogLevel.faults(logLevel, at: "log_level")
  }

  private func memberCodeFaults() -> [String] {
    switch memberCodeSender {
    case "none", "log": []
    case "webhook": memberCodeWebhook.faults(at: "member_code_webhook")
    default: ["member_code_sender: none, webhook or log"]
    }
  }

  private func serviceFaults() -> [String] {
    let known = Contract.all.map(\.audience).filter { $0 != Contract.own.audience }
    var wrong: [String] = []
    for (name, address) in services.sorted(by: { $0.key < $1.key }) {
      if !known.contains(name) {
        wrong.append("services.\(name): there is none; known: \(known.joined(separator: ", "))")
      }
      wrong += address.faults(at: "services.\(name)", allowsPlaintext: true)
    }
    for name in known where services[name] == nil { wrong.append("services.\(name): missing") }
    return wrong
  }

  private func partnerFaults() -> [String] {
    var wrong: [String] = []
    var ids: Set<String> = []
    var hashes: Set<String> = []
    var identities: Set<String> = []
    for (index, partner) in partners.enumerated() {
      let field = "partners[\(index)]"
      for text in partner.certificates {
        if CertificateIdentity(text) == nil {
          wrong.append("\(field).certificates: sha256: and 64 hex digits, URI:… or DNS:…")
        } else if !identities.insert(text).inserted {
          wrong.append("\(field).certificates: \(text) is stated twice")
        }
      }
      wrong += Self.identityFaults(id: partner.id, known: &ids, at: field)
      if !partner.apiKeySHA256.isEmpty {
        wrong += Self.hashFaults(
          partner.apiKeySHA256, known: &hashes, at: "\(field).api_key_sha256")
      }
      for path in partner.methods where !knows(path) {
        wrong.append("\(field).methods: there is no \(path)")
      }
      wrong += LimitSetting.faults(partner.limits, at: "\(field).limits", knows: counts)
    }
    return wrong
  }

  private func issuerFaults() -> [String] {
    var wrong: [String] = []
    for (index, issuer) in tokenIssuers.enumerated() {
      let field = "token_issuers[\(index)]"
      wrong += issuer.faults(at: field, knows: knows)
      if tokenIssuers[..<index].contains(where: { $0.issuer == issuer.issuer }) {
        wrong.append("\(field).issuer: stated twice")
      }
      let others = tokenIssuers[..<index].filter { $0.keysFile == issuer.keysFile }
      if others.contains(where: { $0.keysURL != issuer.keysURL }) {
        wrong.append("\(field).keys_file: another issuer's, with other keys")
      }
    }
    return wrong
  }

  /// Refuses partner certificates where the server asks clients for none.
  private func certificateFaults() -> [String] {
    guard certificate.clientAuthoritiesFile.isEmpty || plaintext else { return [] }
    return partners.enumerated().filter { !$0.element.certificates.isEmpty }.map { index, _ in
      "partners[\(index)].certificates: they need TLS and certificate.client_authorities_file"
    }
  }

  /// Whether the path names a method of a contract or of an opaque service.
  private func knows(_ path: String) -> Bool {
    Contract.all.contains { $0.methods.contains { $0.path == path } }
      || opaqueServices.contains { path.hasPrefix("/\($0.service)/") }
  }

  /// Whether limits may name the path. All methods of an opaque service share one limit.
  func counts(_ path: String) -> Bool {
    Contract.all.contains { $0.methods.contains { $0.path == path } }
      || opaqueServices.contains { path == "/\($0.service)" }
  }

  private func staffFaults() -> [String] {
    var wrong: [String] = []
    var ids: Set<String> = []
    var hashes: Set<String> = []
    for (index, person) in staff.enumerated() {
      let field = "staff[\(index)]"
      wrong += Self.identityFaults(id: person.id, known: &ids, at: field)
      wrong += Self.hashFaults(person.tokenSHA256, known: &hashes, at: "\(field).token_sha256")
      if !person.organization.isEmpty, !IDSource.isIdentifier(person.organization) {
        wrong.append("\(field).organization: 32 lower-case hex digits, or empty")
      }
      if StaffRole(setting: person.role) == nil {
        wrong.append("\(field).role: viewer, clerk or administrator")
      }
      if person.expireDate == nil {
        wrong.append("\(field).expire_time: RFC 3339, such as 2027-01-01T00:00:00Z")
      }
    }
    return wrong
  }

  private static func identityFaults(
    id: String, known: inout Set<String>, at field: String
  ) -> [String] {
    if !IDSource.isIdentifier(id) { return ["\(field).id: 32 lower-case hex digits"] }
    return known.insert(id).inserted ? [] : ["\(field).id: stated twice"]
  }

  private static func hashFaults(
    _ text: String, known: inout Set<String>, at field: String
  ) -> [String] {
    if CredentialHash(hex: text) == nil { return ["\(field): 64 lower-case hex digits"] }
    return known.insert(text).inserted ? [] : ["\(field): stated twice"]
  }
}

extension OpaqueServiceSetting {
  fileprivate func faults(at field: String) -> [String] {
    let address = ServiceAddress(targets: targets, identity: identity)
    var wrong = address.faults(at: field, allowsPlaintext: true)
    if service.isEmpty || service.contains("/") {
      wrong.append("\(field).service: a full name such as grpc.testing.TestService")
    }
    if Contract.all.contains(where: { $0.services.contains(service) }) {
      wrong.append("\(field).service: it has a contract, state it under services")
    }
    if idempotentMethods.contains(where: { $0.isEmpty || $0.contains("/") }) {
      wrong.append("\(field).idempotent_methods: names such as UnaryCall")
    }
    if callers.isEmpty { wrong.append("\(field).callers: at least one") }
    if service == Self.anyService, !isOpen {
      wrong.append("\(field).service: any service is for callers: [anyone]")
    }
    for name in callers where CallerKind(setting: name) == nil && !isOpen {
      wrong.append("\(field).callers: partner, kiosk or staff, not \(name)")
    }
    if !staffRole.isEmpty, StaffRole(setting: staffRole) == nil {
      wrong.append("\(field).staff_role: viewer, clerk or administrator")
    }
    if callers.contains("staff"), staffRole.isEmpty {
      wrong.append("\(field).staff_role: missing, for callers names staff")
    }
    return wrong
  }

  /// The setting that matches every service without a route of its own.
  static let anyService = "*"

  /// Whether every call is forwarded without authentication.
  var isOpen: Bool { callers == ["anyone"] }

  /// The policy of every method of the service.
  var policy: Policy {
    var policy = Policy()
    policy.callers = callers.compactMap { CallerKind(setting: $0) }
    policy.staffRole = StaffRole(setting: staffRole) ?? .unspecified
    return policy
  }
}

extension StaffSetting {
  /// Expiry of the token; nil where the text is not an RFC 3339 time. It is Foundation that reads
  /// all offsets from UTC; few configurations have such a token.
  var expireDate: Date? { try? Date(expireTime, strategy: .iso8601) }
}

extension StaffRole {
  /// Parses a role of the configuration.
  init?(setting: String) {
    switch setting {
    case "viewer": self = .viewer
    case "clerk": self = .clerk
    case "administrator": self = .administrator
    default: return nil
    }
  }
}

extension CallerKind {
  /// Parses an external kind of caller of the configuration.
  init?(setting: String) {
    switch setting {
    case "partner": self = .partner
    case "kiosk": self = .kiosk
    case "staff": self = .staff
    default: return nil
    }
  }
}
