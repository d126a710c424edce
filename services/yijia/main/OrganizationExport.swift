import ArgumentParser
import Foundation
import GoogleType
import MembersV1
import RPC
import ServiceKit

extension Organizations {
  struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write a subtree as CSV, which `yijia import` reads again.",
      discussion: """
        Those above stand before those below. Dissolved ones are left out: they are history.
        Example: yijia organizations export > organizations.csv
        """)

    @OptionGroup var connection: ConnectionOptions
    @Option(help: "The organization whose subtree is written. [default: your own]")
    var ancestor = ""

    func run() async throws {
      let ancestor = ancestor.isEmpty ? "" : OrganizationOptions.name(ancestor)
      try await connection.with(.staff) { client in
        var request = ExportOrganizationsRequest()
        request.ancestor = ancestor
        Terminal.say(OrganizationColumns.names.joined(separator: ","))
        for try await row in try await client.members.exportOrganizations(
          request, options: client.options)
        {
          guard let organization = row.organization, organization.state != .dissolved else {
            continue
          }
          Terminal.say(OrganizationColumns.line(organization, parent: row.parentExternalID))
        }
      }
    }
  }

  struct Code: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Issue a code of an organization, and print or draw it.",
      discussion: """
        Prints its text, and its link where one is configured.
        Example: yijia organizations code ID --campaign 集中入会 --png code.png --svg code.svg
        """)

    @OptionGroup var options: OrganizationOptions
    @Option(help: "Campaign that enrollments through it are counted under.") var campaign = ""
    @Option(help: "Days that it holds; 365 when not given, at most 1,095.") var validDays: Int32 = 0
    @Option(help: "File for the QR code as SVG.") var svg: String?
    @Option(help: "File for the QR code as PNG.") var png: String?

    func run() async throws {
      let (name, campaign, days) = (options.name, campaign, validDays)
      let files = [(CodeFormat.svg, svg), (.png, png)]
      try await options.connection.with(.staff) { client in
        var issue = IssueOrganizationCodeRequest()
        issue.requestID = UUID().uuidString
        issue.organization = name
        issue.campaign = campaign
        issue.validDays = days
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
}

/// Formats an organization as a CSV line, with the columns that `yijia import` reads.
enum OrganizationColumns {
  static let names = [
    "external_id", "parent_external_id", "display_name", "kind", "level", "region_code", "groups",
    "credit_code", "employer_credit_codes", "takes_individuals", "state", "industry_group",
    "opened_date",
  ]

  static func line(_ organization: Organization, parent: String) -> String {
    let opened = organization.openedDate.flatMap {
      ChinaDate(year: Int($0.year), month: Int($0.month), day: Int($0.day))
    }
    return [
      organization.externalID, parent, organization.displayName, contractName(organization.kind),
      contractName(organization.level), organization.regionCode,
      organization.groups.map { contractName($0) }.joined(separator: ";"),
      organization.creditCode, organization.employerCreditCodes.joined(separator: ";"),
      organization.takesIndividuals ? "true" : "", contractName(organization.state),
      organization.industryGroup, opened.map { "\($0)" } ?? "",
    ].map(cell).joined(separator: ",")
  }

  /// Quotes a cell as in RFC 4180. A leading sign is escaped, as a spreadsheet would take it for a
  /// formula.
  private static func cell(_ text: String) -> String {
    let text = text.first.map { "=+-@".contains($0) } == true ? "'\(text)" : text
    guard text.contains(where: { "\",\n\r".contains($0) }) else { return text }
    return "\"\(text.replacing("\"", with: "\"\""))\""
  }
}
