import ArgumentParser
import GatewayV1
import GoogleProtobuf
import GoogleRPC
import MembersV1
import Protobuf
import RPC
import RPCTransport
import ServiceKit
import StationsV1

/// The credential of a connection file that a client uses.
enum SuiteCredential: String, ExpressibleByArgument, CaseIterable {
  case partner, kiosk, staff
  /// A second staff account, for reviews of what the first one did, and a third one for checks.
  case reviewer, checker
}

/// Clients of the services behind the gateway, for one caller.
struct SuiteClient: Sendable {
  let members: MembersServiceClient
  let stations: StationsServiceClient
  let accounts: AccountsServiceClient
  let sessions: SessionsServiceClient
  /// Call options with the caller's credential. A call fails where there is no gateway: it does
  /// not wait for one.
  let options: CallOptions
  private let channel: ClientChannel

  /// One event loop thread serves all connections of the command line.
  static let loops = EventLoops(threads: 1)

  /// How long a connection may take, with TLS; a person waits for it.
  private static let connectMax = Swift.Duration.seconds(10)

  /// - Parameter credential: nil for a caller who is to sign in.
  init(file: ConnectionFile, credential: SuiteCredential?) throws {
    guard let gateway = HostPort(file.gateway) else {
      throw ConfigurationError(
        zh: "gateway：\(file.gateway) 不是 HOST:PORT 的形式",
        en: "gateway: \(file.gateway) is not HOST:PORT")
    }
    var configuration = ClientConfiguration(targets: [gateway])
    configuration.connectMax = Self.connectMax
    configuration.tls = ClientTLS(
      authorities: file.caFile, serverName: file.serverName.map { .host($0) } ?? .target)
    channel = try ClientChannel(configuration: configuration, loops: Self.loops)
    members = MembersServiceClient(channel)
    stations = StationsServiceClient(channel)
    accounts = AccountsServiceClient(channel)
    sessions = SessionsServiceClient(channel)
    var options = CallOptions()
    options.metadata.add("accept-language", Self.acceptLanguage)
    if let credential {
      let (key, value) = try file.metadata(of: credential)
      options.metadata.add(key, value)
    }
    self.options = options
  }

  func close() async { await channel.shutdown() }

  /// The language of messages: the terminal's.
  static var acceptLanguage: String { Terminal.isChinese ? "zh-CN" : "en" }
}

/// Formats errors for people.
enum Explanation {
  static func of(_ error: any Error) -> String {
    guard let error = error as? RPCError else { return "\(error)" }
    if error.code == .unavailable, error.details.isEmpty { return withoutGateway(error.message) }
    let details = (try? GoogleRPC.Status(wireBytes: error.details))?.details ?? []
    let reason = Self.reason(of: error).map { " (\($0))" } ?? ""
    let wrong = details.lazy.compactMap { try? $0.unpack(BadRequest.self) }.first?.fieldViolations
    // The message names all wrong fields in one line: here each has a line of its own.
    let field = wrong?.first?.field ?? ""
    let first = [": ", "："].compactMap { error.message.firstRange(of: "\($0)\(field)\($0)") }.first
    let end = first?.lowerBound ?? error.message.endIndex
    let lines = (wrong ?? []).map { "\n  \($0.field): \($0.description_)" }
    return "\(error.code.name)\(reason): \(error.message[..<end])\(lines.joined())"
  }

  /// The machine-readable reason of a service's refusal.
  static func reason(of error: RPCError) -> String? {
    let status = try? GoogleRPC.Status(wireBytes: error.details)
    return status?.details.lazy.compactMap { try? $0.unpack(ErrorInfo.self)?.reason }.first
  }

  /// What the transport says of a connection, and what to do; services' refusals have details.
  private static func withoutGateway(_ message: String) -> String {
    let remedy =
      message.contains("certificate")
      ? Terminal.text(
        zh: "请在连接文件中写明其签发机构（ca_file）或其中的名称（server_name）",
        en: "name its authority, or its name: ca_file, server_name of the connection file")
      : Terminal.text(
        zh: "服务是否在运行，地址是否正确？", en: "does the suite run, and is the address right?")
    return "\(message); \(remedy)"
  }
}
