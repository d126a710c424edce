import ArgumentParser
import Foundation
import GoogleType
import MembersV1

extension ListBasesRequest: PageRequest {}

extension Base: Shown {
  var line: String {
    columns(
      organization, group == .unspecified ? "ALL" : contractName(group), "\(people)\(qualifier)",
      dayText(date), source)
  }
}

/// The bases and the targets of coverage.
extension StatisticsCommand {
  struct Bases: Listed {
    static let abstract = "List the bases of an organization: the denominators of its coverage."
    @Argument(help: "The organization: its external id, or organizations/ID.")
    var organization: String

    func narrow(_ request: inout ListBasesRequest, _ client: SuiteClient) async throws {
      request.organization = try await OrganizationNames.resolve(organization, client)
    }

    func page(
      _ request: ListBasesRequest, _ client: SuiteClient
    ) async throws -> (rows: [Base], next: String) {
      let page = try await client.members.listBases(request, options: client.options)
      return (page.bases, page.nextPageToken)
    }
  }

  struct SetBase: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Set a base: how many people of a group are to be organized, and who says so.",
      discussion: """
        Example: yijia statistics set-base baiyin --group TRUCK_DRIVER --people 40000 \
        --source 白银市总工会 --on 2022-04-26
        """)

    @OptionGroup var options: OrganizationOptions
    @Option(help: "An occupation group. [default: all]", transform: Arguments.contract)
    var group: OccupationGroup?
    @Option(help: "The number of people.") var people: Int64
    @Option(help: "The precision in the source's own word, for example 余.") var qualifier = ""
    @Option(help: "The source of the number; 2 to 200 characters.") var source: String
    @Option(help: "The day of the number, as 2022-04-26.", transform: Arguments.day)
    var on: GoogleType.Date

    func run() async throws {
      try await options.connection.with(.staff) { client in
        var request = SetBaseRequest()
        request.requestID = UUID().uuidString
        var base = Base()
        base.organization = try await options.name(client)
        base.group = group ?? .unspecified
        (base.people, base.qualifier, base.source, base.date) = (people, qualifier, source, on)
        request.base = base
        let set = try await client.members.setBase(request, options: client.options)
        Terminal.say(set.base?.line ?? "")
      }
    }
  }

  struct SetTarget: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Set the share of the newest base that is to be organized.",
      discussion: """
        Example: yijia statistics set-target baiyin --group TRUCK_DRIVER --percent 95
        """)

    @OptionGroup var options: OrganizationOptions
    @Option(help: "An occupation group. [default: all]", transform: Arguments.contract)
    var group: OccupationGroup?
    @Option(help: "The share in percent, up to two decimals: 95, or 97.25.") var percent: Double
    @Option(help: "The day by which to reach it, as 2026-12-31.", transform: Arguments.day)
    var due: GoogleType.Date?

    func validate() throws {
      guard percent > 0, percent <= 100 else {
        throw ValidationError("--percent is more than 0, and at most 100")
      }
    }

    func run() async throws {
      try await options.connection.with(.staff) { client in
        var request = SetCoverageTargetRequest()
        request.requestID = UUID().uuidString
        var target = CoverageTarget()
        target.organization = try await options.name(client)
        target.group = group ?? .unspecified
        (target.basisPoints, target.dueDate) = (Int32((percent * 100).rounded()), due)
        request.target = target
        let set = try await client.members.setCoverageTarget(request, options: client.options)
        let stored = set.target ?? target
        Terminal.say(
          columns(
            stored.organization,
            stored.group == .unspecified ? "ALL" : contractName(stored.group),
            String(format: "%.2f %%", Double(stored.basisPoints) / 100), dayText(stored.dueDate)))
      }
    }
  }
}
