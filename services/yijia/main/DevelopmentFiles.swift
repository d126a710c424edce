import Crypto
import Foundation
import ServiceKit
import Storage

/// The files of a development suite, created at the first start and kept: certificates, keys,
/// credentials, configurations.
struct DevelopmentFiles {
  /// Credentials of external callers, in plain text: development only.
  struct Credentials: Codable {
    var partnerKey: String
    var staffToken: String

    /// Derived from the staff token: credential files of earlier starts have only two entries.
    var reviewerToken: String { token(of: "reviewer") }
    var checkerToken: String { token(of: "checker") }

    private func token(of name: String) -> String {
      Secret.Prefix.session.rawValue + DevelopmentFiles.sha256("\(name) beside " + staffToken)
    }
  }

  let folder: URL
  let ports: [SuiteMember: SuitePorts]
  let credentials: Credentials

  init(folder: URL, ports: [SuiteMember: SuitePorts]) throws {
    self.folder = folder
    self.ports = ports
    let manager = FileManager.default
    for name in ["", "tls", "keys", "data", "logs"] {
      try manager.createDirectory(
        at: folder.appending(path: name), withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700])
    }
    let authority = try DevelopmentAuthority(folder: folder.appending(path: "tls"))
    for member in SuiteMember.allCases { try authority.issue(member.rawValue) }
    // For operators' commands to a running service.
    try authority.issue("operator")
    credentials = try Self.credentials(in: folder)
    try makeKeys()
    try writeConfigurations()
  }

  /// Returns the ports of an executable.
  func port(_ member: SuiteMember) -> SuitePorts {
    ports[member] ?? SuitePorts(listen: 0, admin: 0)
  }

  /// The gateway's address for browsers.
  var address: String { "https://localhost:\(port(.gateway).listen)" }

  /// Path of the page behind a code, to which the code is added.
  static let codePath = "/c/"

  func file(_ path: String) -> String { folder.appending(path: path).path }

  private static func credentials(in folder: URL) throws -> Credentials {
    let file = folder.appending(path: "keys/credentials.json")
    if let data = try? Data(contentsOf: file) {
      return try JSONDecoder().decode(Credentials.self, from: data)
    }
    let made = Credentials(
      partnerKey: Secret(.partner, ids: .system).text,
      staffToken: Secret(.session, ids: .system).text)
    try SecretFile.write(try JSONEncoder().encode(made), to: file)
    return made
  }

  private func makeKeys() throws {
    let manager = FileManager.default
    let tokenKey = folder.appending(path: "keys/caller-token.key")
    if !manager.fileExists(atPath: tokenKey.path) {
      let pair = TokenKeyFile.generate()
      try PublicFile.write(pair.publicKey, to: folder.appending(path: "keys/caller-token.pub"))
      try SecretFile.write(pair.privateKey, to: tokenKey)
    }
    for member in SuiteMember.allCases {
      for purpose in ["fields", "hashes", "page-tokens"] {
        _ = try Keyring(
          contentsOf: file("keys/\(member.rawValue)-\(purpose).keyring"), orGenerateAt: Date())
      }
    }
  }

  private func writeConfigurations() throws {
    try write(
      .members, service(.members) + "code_link: \"\(address)\(Self.codePath)\"\n" + Self.regions)
    try write(
      .stations,
      service(.stations) + """
        members:
          targets: ["127.0.0.1:\(port(.members).listen)"]
          identity: spiffe://yijia/members

        """)
    try write(.gateway, gateway())
  }

  /// Cities of the examples that pool first; Bengbu also approves first.
  private static let regions = """
    regions:
      - {region_code: "340600", rules: [\(poolFirst)]}
      - {region_code: "340300", rules: [\(poolFirst)], approve_first: true}
      - {region_code: "210100", rules: [\(poolFirst)]}

    """
  private static let poolFirst = "HOLDING_POOL, EMPLOYER_UNION, INDUSTRY_FEDERATION, AREA_UNION"

  private func write(_ member: SuiteMember, _ text: String) throws {
    let head =
      "# Written by `yijia dev` at every start; see services/\(member.rawValue)/README.md\n"
    try PublicFile.write(head + text, to: folder.appending(path: "\(member.rawValue).yaml"))
  }

  private func service(_ member: SuiteMember) -> String {
    let name = member.rawValue
    return """
      service:
        listen: {host: 127.0.0.1, port: \(port(member).listen)}
        admin: {host: 127.0.0.1, port: \(port(member).admin)}
        tls:
          certificate_file: \(file("tls/\(name).crt"))
          key_file: \(file("tls/\(name).key"))
          authority_file: \(file("tls/authority.crt"))
        database: "sqlite:\(file("data/\(name).sqlite"))"
        keyrings:
          fields_file: \(file("keys/\(name)-fields.keyring"))
          hashes_file: \(file("keys/\(name)-hashes.keyring"))
          page_tokens_file: \(file("keys/\(name)-page-tokens.keyring"))
        caller_token_keys:
          - {id: gateway-1, public_key_file: \(file("keys/caller-token.pub"))}

      """
  }

  private func gateway() -> String {
    """
    listen: {host: 127.0.0.1, port: \(port(.gateway).listen)}
    admin: {host: 127.0.0.1, port: \(port(.gateway).admin)}
    operations: {host: 127.0.0.1, port: \(port(.gateway).operations)}
    certificate:
      certificate_file: \(file("tls/gateway.crt"))
      key_file: \(file("tls/gateway.key"))
    tls:
      certificate_file: \(file("tls/gateway.crt"))
      key_file: \(file("tls/gateway.key"))
      authority_file: \(file("tls/authority.crt"))
    caller_token: {key_id: gateway-1, private_key_file: \(file("keys/caller-token.key"))}
    services:
      members:
        targets: ["127.0.0.1:\(port(.members).listen)"]
        identity: spiffe://yijia/members
      stations:
        targets: ["127.0.0.1:\(port(.stations).listen)"]
        identity: spiffe://yijia/stations
    database: "sqlite:\(file("data/gateway.sqlite"))"
    keyrings:
      fields_file: \(file("keys/gateway-fields.keyring"))
      hashes_file: \(file("keys/gateway-hashes.keyring"))
      page_tokens_file: \(file("keys/gateway-page-tokens.keyring"))
    member_code_sender: log
    partners:
      - id: \(Self.identifier("partner"))
        name: 示例平台
        api_key_sha256: \(Self.sha256(credentials.partnerKey))
    staff:
      - id: \(Self.identifier("staff"))
        token_sha256: \(Self.sha256(credentials.staffToken))
        organization: ""
        role: administrator
        expire_time: "2100-01-01T00:00:00Z"
      - id: \(Self.identifier("reviewer"))
        token_sha256: \(Self.sha256(credentials.reviewerToken))
        organization: ""
        role: administrator
        expire_time: "2100-01-01T00:00:00Z"
      - id: \(Self.identifier("checker"))
        token_sha256: \(Self.sha256(credentials.checkerToken))
        organization: ""
        role: administrator
        expire_time: "2100-01-01T00:00:00Z"

    """
  }

  /// Derives the constant identifier of a development caller.
  private static func identifier(_ name: String) -> String { String(sha256(name).prefix(32)) }

  fileprivate static func sha256(_ text: String) -> String {
    SHA256.hash(data: Data(text.utf8)).map { String(format: "%02x", $0) }.joined()
  }
}
