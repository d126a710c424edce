import ArgumentParser
import Foundation
import GatewayV1
import GoogleProtobuf

struct Partners: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Let platform partners in: accounts, their API keys and certificates, their limits.",
    discussion: """
      A partner is a platform; its keys are what its programs show (metadata x-api-key). A key is \
      printed once, when it is made: the gateway keeps its SHA-256 only. These commands act as the \
      administrator of the connection file, and what they do is in the gateway's audit log.

      From nothing to a partner that calls:
        yijia partners create --display-name 某某货运平台
        yijia partners keys create partners/ID --display-name 生产环境
      A new key without an outage, the old one holding for another day:
        yijia partners keys rotate partners/ID/keys/KEY --overlap-hours 24
      A key that leaked ends at once, and the streams that run with it:
        yijia partners keys revoke partners/ID/keys/KEY --reason "leaked in a log"
      """,
    subcommands: [
      Create.self, Get.self, List.self, Update.self, Disable.self, Enable.self, PartnerKeys.self,
      PartnerCertificates.self, PartnerLimits.self, PartnerUsage.self,
    ])

  /// Returns the resource name for `partners/ID` or `ID`.
  static func name(_ text: String) -> String {
    text.hasPrefix("partners/") ? text : "partners/\(text)"
  }

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Store a partner; `keys create` then gives it a key.",
      discussion: "Example: yijia partners create --display-name 某某货运平台")

    @OptionGroup var connection: ConnectionOptions
    @Option(help: "What people call it; 1 to 100 characters.") var displayName: String
    @Option(
      help: """
        Path of a method that it may call, /yijia.members.v1.MembersService/GetEnrollment; may be \
        repeated. [default: all that partners may call]
        """) var method: [String] = []

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = CreatePartnerRequest()
        request.requestID = UUID().uuidString
        var partner = Partner()
        partner.displayName = displayName
        partner.methods = method
        request.partner = partner
        let made = try await client.accounts.createPartner(request, options: client.options)
        Partners.say(made.partner ?? partner)
      }
    }
  }

  struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show a partner, and the methods that it may call.")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The partner: partners/ID or ID.") var partner: String

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = GetPartnerRequest()
        request.name = Partners.name(partner)
        let got = try await client.accounts.getPartner(request, options: client.options)
        Partners.say(got.partner ?? Partner())
        for method in got.partner?.methods ?? [] { Terminal.say("  \(method)") }
      }
    }
  }

  struct Update: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Change a partner's name, or the methods that it may call.",
      discussion: "Example: yijia partners update ID --display-name 某某货运平台")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The partner: partners/ID or ID.") var partner: String
    @Option(help: "What people call it; 1 to 100 characters.") var displayName: String?
    @Option(help: "Path of a method that it may call; may be repeated. Replaces the list.")
    var method: [String] = []
    @Flag(help: "It may call all that partners may call.") var allMethods = false

    func run() async throws {
      try await connection.with(.staff) { client in
        var get = GetPartnerRequest()
        get.name = Partners.name(partner)
        let known = try await client.accounts.getPartner(get, options: client.options)
        var changes = FieldChanges(of: known.partner ?? Partner())
        changes.set(\.displayName, "display_name", to: displayName)
        let methods = allMethods ? [] : method
        changes.set(\.methods, "methods", to: allMethods || !method.isEmpty ? methods : nil)
        var request = UpdatePartnerRequest()
        request.requestID = UUID().uuidString
        (request.partner, request.updateMask) = try changes.finish()
        let done = try await client.accounts.updatePartner(request, options: client.options)
        Partners.say(done.partner ?? changes.message)
      }
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the partners of the gateway's store; its configuration may name more.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = ListPartnersRequest()
        request.pageSize = 1_000
        repeat {
          let page = try await client.accounts.listPartners(request, options: client.options)
          for partner in page.partners { Partners.say(partner) }
          request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
      }
    }
  }

  struct Disable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let none of a partner's keys hold until it is enabled; its streams end.")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The partner: partners/ID or ID.") var partner: String
    @Option(help: "Why, for the audit log.") var reason: String

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = DisablePartnerRequest()
        request.requestID = UUID().uuidString
        request.name = Partners.name(partner)
        request.reason = reason
        let done = try await client.accounts.disablePartner(request, options: client.options)
        Partners.say(done.partner ?? Partner())
      }
    }
  }

  struct Enable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let a disabled partner's keys hold again.")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The partner: partners/ID or ID.") var partner: String
    @Option(help: "Why, for the audit log.") var reason: String

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = EnablePartnerRequest()
        request.requestID = UUID().uuidString
        request.name = Partners.name(partner)
        request.reason = reason
        let done = try await client.accounts.enablePartner(request, options: client.options)
        Partners.say(done.partner ?? Partner())
      }
    }
  }

  private static func say(_ partner: Partner) {
    let scope = partner.methods.isEmpty ? "" : "  \(partner.methods.count) methods"
    Terminal.say(
      "\(partner.name)  \(contractName(partner.state))  \(partner.displayName)\(scope)")
  }
}
