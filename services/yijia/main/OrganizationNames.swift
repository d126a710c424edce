import ArgumentParser
import MembersV1
import ServiceKit

/// Finds organizations by what people call them.
enum OrganizationNames {
  /// Returns the resource name of `organizations/ID`, an ID of 32 hexadecimal digits or an
  /// external id; empty for empty text.
  static func resolve(_ text: String, _ client: SuiteClient) async throws -> String {
    if text.isEmpty || text.hasPrefix("organizations/") { return text }
    if text.count == 32, text.allSatisfy(\.isHexDigit) { return "organizations/\(text)" }
    var request = ListOrganizationsRequest()
    request.externalID = text
    let page = try await client.members.listOrganizations(request, options: client.options)
    guard let found = page.organizations.first(where: { $0.externalID == text }) else {
      throw ConfigurationError(
        "\(text): no organization that you see has this external id; look by name with "
          + "yijia organizations find")
    }
    return found.name
  }

  /// Reads a list page by page, until `body` returns false.
  static func each(
    _ request: ListOrganizationsRequest, _ client: SuiteClient,
    _ body: (Organization) throws -> Bool
  ) async throws {
    var request = request
    request.pageSize = 1_000
    repeat {
      let page = try await client.members.listOrganizations(request, options: client.options)
      for organization in page.organizations {
        guard try body(organization) else { return }
      }
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
  }
}

extension Organizations {
  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List organizations: external id, resource name, kind, state, name.",
      discussion: """
        Examples:
          yijia organizations list --parent qinhuangdao
          yijia organizations list --kind HOLDING_POOL
        """)

    @OptionGroup var connection: ConnectionOptions
    @Option(help: "The organization whose subtree is listed. [default: your own]")
    var ancestor = ""
    @Option(help: "The organization of which only what is directly below is listed.")
    var parent = ""
    @Option(help: "A kind to list; may be repeated.", transform: Arguments.contract)
    var kind: [OrganizationKind] = []

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = ListOrganizationsRequest()
        request.ancestor = try await OrganizationNames.resolve(ancestor, client)
        request.parent = try await OrganizationNames.resolve(parent, client)
        request.kinds = kind
        try await OrganizationNames.each(request, client) { organization in
          Organizations.show(organization)
          return true
        }
      }
    }
  }

  struct Find: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Find organizations by a part of their name or external id.",
      discussion: "Example: yijia organizations find 货车司机")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "What the name or the external id contains.")
    var text: String

    func run() async throws {
      try await connection.with(.staff) { client in
        var count = 0
        try await OrganizationNames.each(ListOrganizationsRequest(), client) { organization in
          let isMeant =
            organization.displayName.contains(text) || organization.externalID.contains(text)
          if isMeant {
            Organizations.show(organization)
            count += 1
          }
          return true
        }
        if count == 0 { throw ConfigurationError("no organization that you see is called \(text)") }
      }
    }
  }

  fileprivate static func show(_ organization: Organization) {
    Terminal.say(
      "\(organization.externalID)  \(organization.name)  \(contractName(organization.kind))  "
        + "\(contractName(organization.state))  \(organization.displayName)")
  }
}
