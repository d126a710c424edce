import ArgumentParser
import MembersV1
import ServiceKit

/// Finds organizations by what people call them.
enum OrganizationNames {
  /// Returns the resource name of `organizations/ID`, an ID of 32 hexadecimal digits or an
  /// external id; empty for empty text.
  static func resolve(_ text: String, _ client: SuiteClient) async throws -> String {
    guard let found = try await find(text, client) else {
      throw ConfigurationError(
        zh: "\(text)：您能看到的组织都没有这个外部编号；可用 yijia organizations find 按名称查找",
        en: "\(text): no organization that you see has this external id; look by name with "
          + "yijia organizations find")
    }
    return found
  }

  /// As `resolve`; nil where no organization has the external id.
  static func find(_ text: String, _ client: SuiteClient) async throws -> String? {
    if text.isEmpty || text.hasPrefix("organizations/") { return text }
    if text.count == 32, text.allSatisfy(\.isHexDigit) { return "organizations/\(text)" }
    var request = ListOrganizationsRequest()
    request.externalID = text
    let page = try await client.members.listOrganizations(request, options: client.options)
    return page.organizations.first { $0.externalID == text }?.name
  }
}

extension ListOrganizationsRequest: SubtreeRequest {}

extension Organizations {
  struct List: Listed {
    static let abstract = "List organizations: external id, resource name, kind, state, name."
    static let discussion = """
      Examples:
        yijia organizations list --parent qinhuangdao
        yijia organizations list --kind HOLDING_POOL
      """
    @OptionGroup var subtree: SubtreeOption
    @Option(help: "The organization of which only what is directly below is listed.")
    var parent = ""
    @Option(help: "The federation of which only what it covers is listed.") var coveredBy = ""
    @Option(help: "A kind to list; may be repeated.", transform: Arguments.contract)
    var kind: [OrganizationKind] = []

    func narrow(_ request: inout ListOrganizationsRequest, _ client: SuiteClient) async throws {
      try await subtree.narrow(&request, client)
      request.parent = try await OrganizationNames.resolve(parent, client)
      request.coveredBy = try await OrganizationNames.resolve(coveredBy, client)
      request.kinds = kind
    }

    func page(
      _ request: ListOrganizationsRequest, _ client: SuiteClient
    ) async throws -> (rows: [Organization], next: String) {
      let page = try await client.members.listOrganizations(request, options: client.options)
      return (page.organizations, page.nextPageToken)
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
        var request = ListOrganizationsRequest()
        request.pageSize = 1_000
        repeat {
          let page = try await client.members.listOrganizations(request, options: client.options)
          for organization in page.organizations
          where organization.displayName.contains(text) || organization.externalID.contains(text) {
            Terminal.say(organization.line)
            count += 1
          }
          request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        if count == 0 {
          throw ConfigurationError(
            zh: "您能看到的组织，名称和外部编号都不含“\(text)”",
            en: "no organization that you see is called \(text)")
        }
      }
    }
  }
}

/// The organization that a command is about, and the connection.
struct OrganizationOptions: ParsableArguments {
  @OptionGroup var connection: ConnectionOptions

  @Argument(help: "The organization: its external id, or organizations/ID.")
  var organization: String

  func name(_ client: SuiteClient) async throws -> String {
    try await OrganizationNames.resolve(organization, client)
  }
}
