import ArgumentParser
import Foundation
import MembersV1

struct Organizations: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find, found, approve, move, dissolve and export organizations; print their codes.",
    discussion: """
      An organization is named by its external id, or as the registry names it: organizations/ID, \
      or the ID alone. `list` and `find` show both.
      """,
    subcommands: [
      List.self, Find.self,
      Create.self, Approve.self, Suspend.self, Resume.self, Dissolve.self, Move.self, Export.self,
      Code.self,
    ])
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

extension Organizations {
  /// Makes one call as staff whose response is an organization, and prints it.
  fileprivate static func change(
    _ connection: ConnectionOptions,
    _ call: (SuiteClient, _ requestID: String) async throws -> Organization?
  ) async throws {
    try await connection.with(.staff) { client in
      let organization = try await call(client, UUID().uuidString) ?? Organization()
      Terminal.say(
        "\(organization.name) \(organization.displayName) \(contractName(organization.state))")
    }
  }

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Found an organization; another administrator approves it.",
      discussion: """
        Example: yijia organizations create --parent qinhuangdao --display-name 某某公司工会 \
        --kind ENTERPRISE_UNION --level BASIC --region-code 130302
        """)

    @OptionGroup var connection: ConnectionOptions
    @Option(help: "The organization above.") var parent: String
    @Option(help: "Full name.") var displayName: String
    @Option(help: "Kind, for example ENTERPRISE_UNION.", transform: Arguments.contract)
    var kind: OrganizationKind
    @Option(help: "Level, for example BASIC.", transform: Arguments.contract)
    var level: OrganizationLevel
    @Option(help: "GB/T 2260 code of 6, 9 or 12 digits.") var regionCode: String
    @Option(help: "A key of your own.") var externalID = ""
    @Option(help: "Industry group, for example 货运.") var industryGroup = ""
    @Flag(help: "Individuals without an employer may join.") var takesIndividuals = false

    func run() async throws {
      var organization = Organization()
      organization.displayName = displayName
      organization.kind = kind
      organization.level = level
      organization.regionCode = regionCode
      organization.externalID = externalID
      organization.industryGroup = industryGroup
      organization.takesIndividuals = takesIndividuals
      let founded = organization
      try await Organizations.change(connection) { client, requestID in
        var request = CreateOrganizationRequest()
        request.requestID = requestID
        request.organization = founded
        request.organization?.parent = try await OrganizationNames.resolve(parent, client)
        return try await client.members.createOrganization(request, options: client.options)
          .organization
      }
    }
  }

  struct Approve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Open an organization that another administrator founded.")

    @OptionGroup var options: OrganizationOptions

    func run() async throws {
      try await Organizations.change(options.connection) { client, requestID in
        var request = ApproveOrganizationRequest()
        request.requestID = requestID
        request.name = try await options.name(client)
        return try await client.members.approveOrganization(request, options: client.options)
          .organization
      }
    }
  }

  struct Suspend: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let an organization receive nobody for now; its members stay.")

    @OptionGroup var options: OrganizationOptions
    @Option(help: "Why, for the audit log.") var reason: String

    func run() async throws {
      try await Organizations.change(options.connection) { client, requestID in
        var request = SuspendOrganizationRequest()
        request.requestID = requestID
        request.name = try await options.name(client)
        request.reason = reason
        return try await client.members.suspendOrganization(request, options: client.options)
          .organization
      }
    }
  }

  struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Open a suspended organization again.")

    @OptionGroup var options: OrganizationOptions

    func run() async throws {
      try await Organizations.change(options.connection) { client, requestID in
        var request = ResumeOrganizationRequest()
        request.requestID = requestID
        request.name = try await options.name(client)
        return try await client.members.resumeOrganization(request, options: client.options)
          .organization
      }
    }
  }

  struct Move: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Move an organization, with everything below it, below another one.")

    @OptionGroup var options: OrganizationOptions
    @Option(help: "The organization that it shall stand below.") var below: String
    @Option(help: "The GB/T 2260 code of its region there, if that changes.")
    var regionCode = ""

    func run() async throws {
      try await Organizations.change(options.connection) { client, requestID in
        var request = MoveOrganizationRequest()
        request.requestID = requestID
        request.name = try await options.name(client)
        request.parent = try await OrganizationNames.resolve(below, client)
        request.regionCode = regionCode
        return try await client.members.moveOrganization(request, options: client.options)
          .organization
      }
    }
  }

  struct Dissolve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Dissolve an organization for good.",
      discussion: """
        Refused while organizations stand below it, and while it has members, unless they go to \
        the holding pool of the county or city with it.
        Example: yijia organizations dissolve ID --reason 企业注销 --pool-members
        """)

    @OptionGroup var options: OrganizationOptions
    @Option(help: "Why, for the audit log.") var reason: String
    @Flag(help: "Its members go to the holding pool in the same step.") var poolMembers = false

    func run() async throws {
      try await options.connection.with(.staff) { client in
        var request = DissolveOrganizationRequest()
        request.requestID = UUID().uuidString
        request.name = try await options.name(client)
        request.reason = reason
        request.poolMembers = poolMembers
        let response = try await client.members.dissolveOrganization(
          request, options: client.options)
        Terminal.say(
          "\(request.name) is dissolved; \(counted(response.pooledMembers, "member")) to "
            + "\(response.pool.isEmpty ? "no pool" : response.pool)")
      }
    }
  }
}
