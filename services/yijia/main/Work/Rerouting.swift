import ArgumentParser
import Foundation
import MembersV1

extension PreviewReroutingRequest: SubtreeRequest {}

extension MembersV1.Rerouting: Shown {
  var line: String {
    columns(
      member, memberNumber, contractName(route), fromOrganization, toOrganization, routeReason)
  }
}

/// Routing again.
struct ReroutingCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rerouting",
    abstract: "Find members who belong to a union of their employer or industry, and move them.",
    discussion: """
      Examples:
        yijia rerouting preview --ancestor q-130302003
        yijia rerouting apply members/ID members/ID
      """,
    subcommands: [ListCommand<Preview>.self, Apply.self])

  struct Preview: Listed {
    static let abstract = "Route the members of a subtree again, and move nobody."
    @OptionGroup var subtree: SubtreeOption

    func narrow(_ request: inout PreviewReroutingRequest, _ client: SuiteClient) async throws {
      try await subtree.narrow(&request, client)
    }

    func page(
      _ request: PreviewReroutingRequest, _ client: SuiteClient
    ) async throws -> (rows: [MembersV1.Rerouting], next: String) {
      let page = try await client.members.previewRerouting(request, options: client.options)
      return (page.reroutings, page.nextPageToken)
    }
  }

  struct Apply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Move members to the unions where they belong, all in one step.")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The members, as `preview` shows them; at most 200.") var members: [String]

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = ApplyReroutingRequest()
        request.requestID = UUID().uuidString
        for member in members {
          request.members.append(try await Member.resourceName(of: member, client))
        }
        let moved = try await client.members.applyRerouting(request, options: client.options)
        for member in moved.reroutings { Terminal.say(member.line) }
        Terminal.note("\(counted(moved.reroutings.count, "member")) moved")
      }
    }
  }
}
