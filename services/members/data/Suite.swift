import Foundation
import RPC
import RPCTransport
import ServiceKit

/// The addresses and credentials of a running suite, read from its connection file.
struct Suite: Decodable {
  let gateway: String
  let authority: String
  let partnerKey: String
  let staffToken: String

  enum CodingKeys: String, CodingKey {
    case gateway
    case authority = "ca_file"
    case partnerKey = "partner_api_key"
    case staffToken = "staff_token"
  }

  init(contentsOf path: String) throws {
    self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: URL(filePath: path)))
  }

  var partner: CallOptions { options("x-api-key", partnerKey) }

  var staff: CallOptions { options("authorization", "Bearer \(staffToken)") }

  private func options(_ name: String, _ value: String) -> CallOptions {
    var options = CallOptions()
    options.waitForReady = true
    options.timeout = .seconds(600)
    options.metadata.add(name, value)
    return options
  }

  func channel(_ loops: EventLoops) throws -> ClientChannel {
    guard let target = HostPort(gateway) else {
      throw ConfigurationError("gateway: \(gateway) is no host:port")
    }
    var configuration = ClientConfiguration(targets: [target])
    configuration.tls = ClientTLS(authorities: authority, serverName: .host("localhost"))
    return try ClientChannel(configuration: configuration, loops: loops)
  }
}

/// Prints one figure per line.
func report(_ name: String, _ value: Double) { say("\(name) \(Int(value))") }
