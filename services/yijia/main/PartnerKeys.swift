import ArgumentParser
import Foundation
import GatewayV1
import GoogleProtobuf
import ServiceKit
import Storage

struct PartnerKeys: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys",
    abstract: "API keys of partners; `yijia keys` is about the keys that guard a service's data.",
    subcommands: [Create.self, List.self, Rotate.self, Revoke.self])

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a key and print it: this once.",
      discussion: """
        Example: yijia partners keys create partners/ID --display-name 生产环境 \
        --expires 2027-12-31T00:00:00Z
        """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The partner: partners/ID or ID.") var partner: String
    @Option(help: "What people call the key.") var displayName = ""
    @Option(help: "When it ends, in RFC 3339. [default: never]", transform: Arguments.instant)
    var expires: Timestamp?
    @Option(
      help: """
        Path of a method that it is good for, among its partner's; may be repeated. \
        [default: all of them]
        """) var method: [String] = []

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = CreatePartnerKeyRequest()
        request.requestID = UUID().uuidString
        request.partner = Partners.name(partner)
        var key = PartnerKey()
        key.displayName = displayName
        key.methods = method
        key.expireTime = expires
        request.key = key
        let made = try await client.accounts.createPartnerKey(request, options: client.options)
        PartnerKeys.say(made.key ?? key)
        Terminal.say(made.secret)
        Terminal.note("The key above is shown this once: keep it where secrets are kept.")
      }
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the keys of a partner, ended ones too; never the keys themselves.")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The partner: partners/ID or ID.") var partner: String

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = ListPartnerKeysRequest()
        request.partner = Partners.name(partner)
        request.pageSize = 1_000
        repeat {
          let page = try await client.accounts.listPartnerKeys(request, options: client.options)
          for key in page.keys { PartnerKeys.say(key) }
          request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
      }
    }
  }

  struct Rotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a key in the place of another one, which holds for a while beside it.",
      discussion: """
        Example: yijia partners keys rotate partners/ID/keys/KEY --overlap-hours 24
        """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The key: partners/ID/keys/KEY.") var key: String
    @Option(help: "How long the old key still holds; 0 to 2160 hours.") var overlapHours = 168
    @Option(
      help: "When the new key ends, in RFC 3339. [default: after the lifetime of the old one]",
      transform: Arguments.instant)
    var expires: Timestamp?

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = RotatePartnerKeyRequest()
        request.requestID = UUID().uuidString
        request.name = key
        request.overlap = GoogleProtobuf.Duration()
        request.overlap?.seconds = Int64(overlapHours) * 3_600
        request.expireTime = expires
        let made = try await client.accounts.rotatePartnerKey(request, options: client.options)
        PartnerKeys.say(made.replacedKey ?? PartnerKey())
        PartnerKeys.say(made.key ?? PartnerKey())
        Terminal.say(made.secret)
        Terminal.note("The key above is shown this once: keep it where secrets are kept.")
      }
    }
  }

  struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "End a key at once, and the streams that run with it.")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The key: partners/ID/keys/KEY.") var key: String
    @Option(help: "Why, for the audit log.") var reason: String

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = RevokePartnerKeyRequest()
        request.requestID = UUID().uuidString
        request.name = key
        request.reason = reason
        let done = try await client.accounts.revokePartnerKey(request, options: client.options)
        PartnerKeys.say(done.key ?? PartnerKey())
      }
    }
  }

  private static func say(_ key: PartnerKey) {
    var text = "\(key.name)  \(key.hint)…  \(key.displayName)"
    if let end = key.revokeTime { text += "  revoked \(Self.text(end))" }
    if let end = key.expireTime { text += "  ends \(Self.text(end))" }
    Terminal.say(text)
  }

  static func text(_ time: Timestamp) -> String {
    Date(microseconds: time.microseconds ?? 0).formatted(.iso8601)
  }
}
