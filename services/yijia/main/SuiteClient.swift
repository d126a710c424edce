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
enum SuiteCredential {
  case partner, kiosk, staff
  /// A second staff account, for reviews of what the first one did.
  case reviewer
}

/// Clients of the services behind the gateway, for one caller.
struct SuiteClient: Sendable {
  let members: MembersServiceClient
  let stations: StationsServiceClient
  let accounts: AccountsServiceClient
  /// Call options with the caller's credential; calls wait for the gateway to come up.
  let options: CallOptions
  private let channel: ClientChannel

  /// One event loop thread serves all connections of the command line.
  static let loops = EventLoops(threads: 1)

  init(file: ConnectionFile, credential: SuiteCredential) throws {
    guard let gateway = HostPort(file.gateway) else {
      throw ConfigurationError("gateway: \(file.gateway) is no host:port")
    }
    var configuration = ClientConfiguration(targets: [gateway])
    configuration.tls = ClientTLS(authorities: file.caFile, serverName: .host("localhost"))
    channel = try ClientChannel(configuration: configuration, loops: Self.loops)
    members = MembersServiceClient(channel)
    stations = StationsServiceClient(channel)
    accounts = AccountsServiceClient(channel)
    var options = CallOptions()
    options.waitForReady = true
    options.metadata.add("accept-language", Self.acceptLanguage)
    switch credential {
    case .partner: options.metadata.add("x-api-key", file.partnerAPIKey)
    case .kiosk: options.metadata.add("x-api-key", file.kioskAPIKey)
    case .staff: options.metadata.add("authorization", "Bearer \(file.staffToken)")
    case .reviewer:
      guard let token = file.reviewerToken else {
        throw ConfigurationError("the connection file has no reviewer_token")
      }
      options.metadata.add("authorization", "Bearer \(token)")
    }
    self.options = options
  }

  func close() async { await channel.shutdown() }

  /// The language of messages: the terminal's.
  private static var acceptLanguage: String { Terminal.isChinese ? "zh-CN" : "en" }
}

/// Formats errors for people.
enum Explanation {
  static func of(_ error: any Error) -> String {
    guard let error = error as? RPCError else { return "\(error)" }
    var text = "\(error.code.name): \(error.message)"
    guard let status = try? GoogleRPC.Status(wireBytes: error.details) else { return text }
    for detail in status.details {
      if let info = try? detail.unpack(ErrorInfo.self) { text += "\n  reason: \(info.reason)" }
      if let request = try? detail.unpack(BadRequest.self) {
        for violation in request.fieldViolations {
          text += "\n  \(violation.field): \(violation.description_)"
        }
      }
    }
    return text
  }
}
