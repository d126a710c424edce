import ArgumentParser
import Foundation
import GoogleProtobuf
import MembersV1
import ServiceKit
import Storage

extension ListOrganizationCodesRequest: PageRequest {}
extension RevokeOrganizationCodeRequest: ChangeRequest {}

extension OrganizationCode: Shown, Addressed {
  static let collection = "organizationCodes"

  var line: String {
    columns(
      name, contractName(channel), campaign, revokeTime == nil ? "" : "REVOKED",
      expireTime.map { PartnerKeys.text($0) } ?? "", link.isEmpty ? text : link)
  }
}

extension Organizations {
  struct Code: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Issue a code of an organization, and print or draw it.",
      discussion: """
        Prints its text, and its link where one is configured.
        Example: yijia organizations code ID --campaign 集中入会 --png code.png --svg code.svg
        """)

    @OptionGroup var options: OrganizationOptions
    @Option(
      help: "Channel that enrollments through it are counted under. [default: QR_SCAN]",
      transform: Arguments.contract)
    var channel: MembersV1.Channel?
    @Option(help: "Campaign that enrollments through it are counted under.") var campaign = ""
    @Flag(help: "A transfer that is requested with it completes at once.")
    var acceptsTransfers = false
    @Option(help: "Days that it holds; 365 when not given, at most 1,095.") var validDays: Int32 = 0
    @Option(help: "File for the QR code as SVG.") var svg: String?
    @Option(help: "File for the QR code as PNG.") var png: String?

    func run() async throws {
      let files = [(CodeFormat.svg, svg), (.png, png)]
      // A code that is issued is good: first see whether it can be kept.
      try await explained { try [svg, png].compactMap { $0 }.forEach(Arguments.requireWritable) }
      try await options.connection.with(.staff) { client in
        var issue = IssueOrganizationCodeRequest()
        issue.requestID = UUID().uuidString
        issue.organization = try await options.name(client)
        (issue.channel, issue.campaign) = (channel ?? .unspecified, campaign)
        (issue.validDays, issue.acceptsTransfers) = (validDays, acceptsTransfers)
        let response = try await client.members.issueOrganizationCode(
          issue, options: client.options)
        let code = response.code ?? OrganizationCode()
        Terminal.say(code.text)
        if !code.link.isEmpty { Terminal.say(code.link) }
        for case (let format, let file?) in files {
          var render = RenderOrganizationCodeRequest()
          render.name = code.name
          render.format = format
          let content = try await client.members.renderOrganizationCode(
            render, options: client.options
          ).content
          guard FileManager.default.createFile(atPath: file, contents: Data(content)) else {
            throw ConfigurationError("\(file): cannot be written")
          }
        }
      }
    }
  }

  struct Codes: Listed {
    static let abstract = "List codes of an organization, newest first: by default the valid ones."
    @Argument(help: "The organization: its external id, or organizations/ID.")
    var organization: String
    @Flag(help: "List expired and revoked ones, too.") var ended = false

    func narrow(
      _ request: inout ListOrganizationCodesRequest, _ client: SuiteClient
    ) async throws {
      request.organization = try await OrganizationNames.resolve(organization, client)
      request.includeEnded = ended
    }

    func page(
      _ request: ListOrganizationCodesRequest, _ client: SuiteClient
    ) async throws -> (rows: [OrganizationCode], next: String) {
      let page = try await client.members.listOrganizationCodes(request, options: client.options)
      return (page.codes, page.nextPageToken)
    }
  }

  struct Resolve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the organization of a scanned code, and what you may do with the code.",
      discussion: """
        Prints the organization, the code, and the actions that it allows the caller.
        Example: yijia organizations resolve YJ1-2KHCWJ14N8TVJGFE5X12…
        """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The text or the link of the code.") var text: String

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = ResolveOrganizationCodeRequest()
        request.text = text
        let found = try await client.members.resolveOrganizationCode(
          request, options: client.options)
        Terminal.say((found.organization ?? Organization()).line)
        Terminal.say((found.code ?? OrganizationCode()).line)
        Terminal.say(found.actions.map { contractName($0) }.joined(separator: "  "))
      }
    }
  }

  struct Revoke: Action {
    static let abstract = "Revoke codes of organizations, which `codes` lists."

    func send(
      _ request: RevokeOrganizationCodeRequest, _ client: SuiteClient
    ) async throws -> OrganizationCode? {
      try await client.members.revokeOrganizationCode(request, options: client.options).code
    }
  }
}
