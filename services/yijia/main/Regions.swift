import ArgumentParser
import Foundation
import GoogleProtobuf
import MembersV1
import Protobuf

extension ListRegionSettingsRequest: PageRequest {}
extension ListRegionsRequest: PageRequest {}
extension GetRegionSettingsRequest: ThingRequest {}
extension GetRegionRequest: ThingRequest {}

extension RegionSettings: Shown, Addressed {
  static let collection = "regionSettings"

  var line: String {
    let order = rules.map { contractName($0) }.joined(separator: " > ")
    let source = inheritedFrom.isEmpty ? "" : "  (\(inheritedFrom))"
    return "\(name)  \(order)\(approveFirst ? "  approve first" : "")  pool \(poolDays) d  "
      + "transfers \(transferDays) d  units \(unitThreshold)\(source)"
  }
}

extension Region: Shown, Addressed {
  static let collection = "regions"

  var line: String {
    columns(code, displayName, retired ? "retired" : "", successor)
  }
}

struct Regions: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Settings of regions: routing rules in their order, terms of pools and transfers.",
    discussion: """
      The settings of the smallest region that has its own apply as a whole; `show` says whose.

      Examples:
        yijia regions show 340600
        yijia regions below 340600
        yijia regions set 340600 --rule HOLDING_POOL --rule EMPLOYER_UNION --rule AREA_UNION
        yijia regions set 340300 --approve-first true --pool-days 10
      """,
    subcommands: [
      ListCommand<List>.self, ActionCommand<Show>.self, Set.self, ListCommand<Below>.self,
      ActionCommand<Name>.self,
    ])

  struct List: Listed {
    static let abstract = "List the regions that have settings of their own."

    func narrow(_ request: inout ListRegionSettingsRequest, _ client: SuiteClient) {}

    func page(
      _ request: ListRegionSettingsRequest, _ client: SuiteClient
    ) async throws -> (rows: [RegionSettings], next: String) {
      let page = try await client.members.listRegionSettings(request, options: client.options)
      return (page.settings, page.nextPageToken)
    }
  }

  struct Show: Action {
    static let abstract = "Show the settings that apply in regions, by their codes of 6 digits."

    func send(
      _ request: GetRegionSettingsRequest, _ client: SuiteClient
    ) async throws -> RegionSettings? {
      try await client.members.getRegionSettings(request, options: client.options).settings
    }
  }

  struct Below: Listed {
    static let abstract = "List the provinces, or the regions directly below one, with their codes."
    @Argument(help: "GB/T 2260 code of a region, for example 130300. [default: the nation]")
    var region = ""

    func narrow(_ request: inout ListRegionsRequest, _ client: SuiteClient) async throws {
      if !region.isEmpty { request.parent = try await Region.resourceName(of: region, client) }
    }

    func page(
      _ request: ListRegionsRequest, _ client: SuiteClient
    ) async throws -> (rows: [Region], next: String) {
      let page = try await client.members.listRegions(request, options: client.options)
      return (page.regions, page.nextPageToken)
    }
  }

  struct Name: Action {
    static let abstract = "Show the names of regions by their codes; retired codes, too."

    func send(_ request: GetRegionRequest, _ client: SuiteClient) async throws -> Region? {
      try await client.members.getRegion(request, options: client.options).region
    }
  }

  struct Set: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Change the settings of a region, from the next application on.",
      discussion: """
        What is not named stays. The rules are EMPLOYER_UNION, INDUSTRY_FEDERATION, AREA_UNION, \
        NEW_FORM_FEDERATION and HOLDING_POOL, each at most once, HOLDING_POOL always.
        """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "GB/T 2260 code of a county, city or province; 6 digits.") var region: String
    @Option(
      help: "A routing rule; repeated in the order in which they are tried.",
      transform: Arguments.contract)
    var rule: [Route] = []
    @Option(help: "Whether enrollments that are routed to the pool wait for approval.")
    var approveFirst: Bool?
    @Option(help: "Days until a case of the pools is escalated; 1 to 365.") var poolDays: Int32?
    @Option(help: "External id of the organization that keeps the pools; empty for the one above.")
    var poolCustodian: String?
    @Option(help: "Days that the receiver of a transfer has to decide; 1 to 180.")
    var transferDays: Int32?
    @Option(help: "Members of one unit that open a unit index; 2 to 100000.")
    var unitThreshold: Int32?

    func run() async throws {
      try await connection.with(.staff) { client in
        var get = GetRegionSettingsRequest()
        get.name = try await RegionSettings.resourceName(of: region, client)
        let known = try await client.members.getRegionSettings(get, options: client.options)
        var changes = FieldChanges(of: known.settings ?? RegionSettings())
        changes.set(\.rules, "rules", toNonempty: rule)
        changes.set(\.approveFirst, "approve_first", to: approveFirst)
        changes.set(\.poolDays, "pool_days", to: poolDays)
        changes.set(\.poolCustodian, "pool_custodian", to: poolCustodian)
        changes.set(\.transferDays, "transfer_days", to: transferDays)
        changes.set(\.unitThreshold, "unit_threshold", to: unitThreshold)
        var request = UpdateRegionSettingsRequest()
        request.requestID = UUID().uuidString
        (request.settings, request.updateMask) = try changes.finish()
        let changed = try await client.members.updateRegionSettings(
          request, options: client.options)
        Terminal.say((changed.settings ?? changes.message).line)
      }
    }
  }
}
