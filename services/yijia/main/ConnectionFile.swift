import ArgumentParser
import Foundation
import ServiceKit

/// The settings with which any gRPC client reaches a suite, documented in README.md. `yijia dev`
/// and `yijia sign-in` write the file. Only the gateway must be there, and the credential that a
/// command uses.
struct ConnectionFile: Codable, Sendable {
  /// `host:port` of the gateway.
  var gateway: String
  /// Authority of the gateway's certificate, a PEM file; nil for the system's authorities.
  var caFile: String?
  /// Name in the gateway's certificate; nil for the host in `gateway`.
  var serverName: String?
  /// The partner's API key, for the metadata `x-api-key`.
  var partnerAPIKey: String?
  /// The kiosk's API key, for the metadata `x-api-key`.
  var kioskAPIKey: String?
  /// Resource name of the kiosk.
  var kiosk: String?
  /// Resource name of the kiosk's point.
  var station: String?
  /// The staff token, for the metadata `authorization: Bearer`.
  var staffToken: String?
  /// The token of a second staff account, who reviews what the first one reported.
  var reviewerToken: String?
  /// The token of a third staff account, who checks what the other two did.
  var checkerToken: String?
  /// Folder of the proto files.
  var protoRoot: String?
  /// Admin port of each executable.
  var adminPorts: [String: Int]?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case gateway, kiosk, station
    case caFile = "ca_file"
    case serverName = "server_name"
    case partnerAPIKey = "partner_api_key"
    case kioskAPIKey = "kiosk_api_key"
    case staffToken = "staff_token"
    case reviewerToken = "reviewer_token"
    case checkerToken = "checker_token"
    case protoRoot = "proto_root"
    case adminPorts = "admin_ports"
  }

  static func read(_ path: String) throws -> ConnectionFile {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw ConfigurationError(
        zh: "\(path)：无法读取；`yijia sign-in` 和 `yijia dev`（make run）会写出这样的文件，"
          + "其他的用 --connection 指明",
        en: "\(path): cannot be read; `yijia dev` (make run) and `yijia sign-in` write such a "
          + "file, --connection names another")
    }
    do {
      return try JSONDecoder().decode(ConnectionFile.self, from: data)
    } catch DecodingError.keyNotFound(let key, _) {
      throw ConfigurationError(
        zh: "\(path)：缺少 \(key.stringValue)", en: "\(path): \(key.stringValue) is missing")
    } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context)
    {
      let key = context.codingPath.first?.stringValue ?? "the file"
      throw ConfigurationError(
        zh: "\(path)：\(key) 的值类型不对", en: "\(path): \(key) has a value of the wrong kind")
    } catch {
      throw ConfigurationError(zh: "\(path)：不是 JSON", en: "\(path): is not JSON")
    }
  }

  func write(_ path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try SecretFile.write(try encoder.encode(self), to: URL(filePath: path))
  }

  /// Returns the metadata that show who calls.
  /// - Throws: ``ConfigurationError`` where the file has no such credential.
  func metadata(of credential: SuiteCredential) throws -> (key: String, value: String) {
    let (key, value): (CodingKeys, String?) =
      switch credential {
      case .partner: (.partnerAPIKey, partnerAPIKey)
      case .kiosk: (.kioskAPIKey, kioskAPIKey)
      case .staff: (.staffToken, staffToken)
      case .reviewer: (.reviewerToken, reviewerToken)
      case .checker: (.checkerToken, checkerToken)
      }
    guard let value, !value.isEmpty else { throw Self.missing(key, credential) }
    return switch credential {
    case .partner, .kiosk: ("x-api-key", value)
    case .staff, .reviewer, .checker: ("authorization", "Bearer \(value)")
    }
  }
}

extension ConnectionFile {
  private static func missing(
    _ key: CodingKeys, _ credential: SuiteCredential
  ) -> ConfigurationError {
    switch credential {
    case .partner:
      ConfigurationError(
        zh: "连接文件中没有合作平台的密钥 \(key.rawValue)；工会人员办理入会请加 --by staff",
        en: "the connection file has no \(key.rawValue), the key of a partner; staff enrolls with "
          + "--by staff")
    case .kiosk:
      ConfigurationError(
        zh: "连接文件中没有终端的密钥 \(key.rawValue)",
        en: "the connection file has no \(key.rawValue), the key of a kiosk")
    case .staff, .reviewer, .checker:
      ConfigurationError(
        zh: "连接文件中没有 \(key.rawValue)；请登录（yijia sign-in），或用 --as 指明别的凭证",
        en: "the connection file has no \(key.rawValue); sign in (yijia sign-in), or name another "
          + "credential with --as")
    }
  }

  /// Runs `body` with a client that uses one of the credentials.
  /// - Parameter credential: nil for a caller who is to sign in.
  func calling<Result>(
    _ credential: SuiteCredential?, _ body: (SuiteClient) async throws -> Result
  ) async throws -> Result {
    let client = try SuiteClient(file: self, credential: credential)
    do {
      let result = try await body(client)
      await client.close()
      return result
    } catch {
      await client.close()
      throw error
    }
  }
}

struct ConnectionOptions: ParsableArguments {
  @Option(help: "Connection file, as yijia dev and yijia sign-in write it.")
  var connection = ".dev/connection.json"

  @Option(
    name: .customLong("as"),
    help: "Whose credential of the connection file to use. [default: as the command needs]")
  var credential: SuiteCredential?

  /// Runs `body` with a client that uses one of the file's credentials.
  /// - Parameter usual: Whose, where --as names nobody.
  func with(
    _ usual: SuiteCredential, _ body: (SuiteClient) async throws -> Void
  ) async throws {
    try await explained {
      try await ConnectionFile.read(connection).calling(credential ?? usual, body)
    }
  }
}
