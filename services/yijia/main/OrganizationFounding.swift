import ArgumentParser
import Foundation
import MembersV1

extension Organizations {
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
    @Option(
      help: "A group that an industry federation takes; may be repeated. [default: all]",
      transform: Arguments.contract)
    var group: [OccupationGroup] = []
    @Option(help: "The union's own credit code.") var creditCode = ""
    @Option(help: "The credit code of an employer that it covers; may be repeated.")
    var employerCreditCode: [String] = []
    @Flag(help: "Individuals without an employer may join.") var takesIndividuals = false

    func run() async throws {
      try await connection.with(.staff) { client in
        var organization = Organization()
        organization.parent = try await OrganizationNames.resolve(parent, client)
        organization.displayName = displayName
        organization.kind = kind
        organization.level = level
        organization.regionCode = regionCode
        organization.externalID = externalID
        organization.industryGroup = industryGroup
        organization.groups = group
        organization.creditCode = creditCode
        organization.employerCreditCodes = employerCreditCode
        organization.takesIndividuals = takesIndividuals
        var request = CreateOrganizationRequest()
        request.requestID = UUID().uuidString
        request.organization = organization
        let made = try await client.members.createOrganization(request, options: client.options)
        Terminal.say(made.organization?.line ?? "")
      }
    }
  }

  struct Update: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Change an organization; what is not named stays.",
      discussion: """
        A list, such as the groups, is replaced as a whole.
        Example: yijia organizations update q-couriers --display-name 海港区快递行业工会联合会
        """)

    @OptionGroup var options: OrganizationOptions
    @Option(help: "Full name.") var displayName: String?
    @Option(help: "GB/T 2260 code of 6, 9 or 12 digits.") var regionCode: String?
    @Option(help: "Industry group, for example 货运.") var industryGroup: String?
    @Option(help: "A group that it takes; may be repeated.", transform: Arguments.contract)
    var group: [OccupationGroup] = []
    @Option(help: "The union's own credit code.") var creditCode: String?
    @Option(help: "The credit code of an employer that it covers; may be repeated.")
    var employerCreditCode: [String] = []
    @Option(help: "Whether individuals without an employer may join: true or false.")
    var takesIndividuals: Bool?

    func run() async throws {
      try await options.connection.with(.staff) { client in
        var get = GetOrganizationRequest()
        get.name = try await options.name(client)
        let known = try await client.members.getOrganization(get, options: client.options)
        var changes = FieldChanges(of: known.organization ?? Organization())
        changes.set(\.displayName, "display_name", to: displayName)
        changes.set(\.regionCode, "region_code", to: regionCode)
        changes.set(\.industryGroup, "industry_group", to: industryGroup)
        changes.set(\.groups, "groups", toNonempty: group)
        changes.set(\.creditCode, "credit_code", to: creditCode)
        changes.set(\.employerCreditCodes, "employer_credit_codes", toNonempty: employerCreditCode)
        changes.set(\.takesIndividuals, "takes_individuals", to: takesIndividuals)
        var request = UpdateOrganizationRequest()
        request.requestID = UUID().uuidString
        (request.organization, request.updateMask) = try changes.finish()
        let updated = try await client.members.updateOrganization(request, options: client.options)
        Terminal.say(updated.organization?.line ?? "")
      }
    }
  }
}
