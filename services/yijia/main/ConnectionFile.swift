import ArgumentParser
import Foundation
import ServiceKit

/// The settings with which any gRPC client reaches a suite, documented in README.md. `yijia dev`
/// writes the file.
struct ConnectionFile: Codable, Sendable {
  /// `host:port` of the gateway.
  var gateway: String
  /// Authority of the gateway's certificate, a PEM file.
  var caFile: String
  /// The partner's API key, for the metadata `x-api-key`.
  var partnerAPIKey: String
  /// The kiosk's API key, for the metadata `x-api-key`.
  var kioskAPIKey: String
  /// Resource name of the kiosk.
  var kiosk: String
  /// Resource name of the kiosk's point.
  var station: String
  /// The staff token, for the metadata `authorization: Bearer`.
  var staffToken: String
  /// The token of a second staff account, who reviews what the first one reported.
  var reviewerToken: String?
  /// Folder of the proto files.
  var protoRoot: String
  /// Admin port of each executable.
  var adminPorts: [String: Int]

  enum CodingKeys: String, CodingKey {
    case gateway, kiosk, station
    case caFile = "ca_file"
    case partnerAPIKey = "partner_api_key"
    case kioskAPIKey = "kiosk_api_key"
    case staffToken = "staff_token"
    case reviewerToken = "reviewer_token"
    case protoRoot = "proto_root"
    case adminPorts = "admin_ports"
  }

  static func read(_ path: String) throws -> ConnectionFile {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw ConfigurationError("\(path): cannot be read; does `make run` (yijia dev) run?")
    }
    do {
      return try JSONDecoder().decode(ConnectionFile.self, from: data)
    } catch {
      throw ConfigurationError("\(path): is no connection file: \(error)")
    }
  }

  func write(_ path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try SecretFile.write(try encoder.encode(self), to: URL(filePath: path))
  }
}

struct ConnectionOptions: ParsableArguments {
  @Option(help: "Connection file, as yijia dev writes it.")
  var connection = ".dev/connection.json"

  /// Runs `body` with a client that uses one of the file's credentials.
  func with(
    _ credential: SuiteCredential, _ body: (SuiteClient) async throws -> Void
  ) async throws {
    let client = try SuiteClient(file: .read(connection), credential: credential)
    do {
      try await body(client)
    } catch {
      await client.close()
      Terminal.endProgress()
      Terminal.note(Explanation.of(error))
      throw ExitCode.failure
    }
    await client.close()
  }
}
