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
      try await connection.with(.staff) { client in
        var request = ExportOrganizationsRequest()
        request.ancestor = try await OrganizationNames.resolve(ancestor, client)
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
}

/// The columns of a table of organizations: `yijia import` reads them, an export writes them.
enum OrganizationColumns {
  static let all = [
    CSVColumn("external_id", "外部编号", isRequired: true),
    CSVColumn("parent_external_id", "上级外部编号", isRequired: true),
    CSVColumn("display_name", "名称", isRequired: true),
    CSVColumn("kind", "类型", isRequired: true, values: contractNames(of: OrganizationKind.self)),
    CSVColumn("level", "层级", isRequired: true, values: contractNames(of: OrganizationLevel.self)),
    CSVColumn("region_code", "地区代码", isRequired: true),
    CSVColumn("groups", "群体", values: contractNames(of: OccupationGroup.self)),
    CSVColumn("credit_code", "信用代码"),
    CSVColumn("employer_credit_codes", "单位信用代码"),
    CSVColumn("takes_individuals", "接收个人"),
    CSVColumn("state", "状态", values: contractNames(of: OrganizationState.self)),
    CSVColumn("industry_group", "行业"),
    CSVColumn("opened_date", "成立日期"),
  ]

  static let names = all.map(\.name)

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
    ].map(CSVFile.cell).joined(separator: ",")
  }
}
