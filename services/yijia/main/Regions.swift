import ArgumentParser
import Foundation
import GoogleProtobuf
import MembersV1
import Protobuf

struct Regions: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Settings of regions: routing rules in their order, terms of pools and transfers.",
    discussion: """
      The settings of the smallest region that has its own apply as a whole; `show` says whose.

      Examples:
        yijia regions show 340600
        yijia regions set 340600 --rule HOLDING_POOL --rule EMPLOYER_UNION --rule AREA_UNION
        yijia regions set 340300 --approve-first true --pool-days 10
      """,
    subcommands: [List.self, Show.self, Set.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the regions that have settings of their own.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = ListRegionSettingsRequest()
        repeat {
          let page = try await client.members.listRegionSettings(request, options: client.options)
          for settings in page.settings { Regions.say(settings) }
          request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
      }
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the settings that apply in a region.")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "GB/T 2260 code of a county, city or province; 6 digits.") var region: String

    func run() async throws {
      try await connection.with(.staff) { client in
        Regions.say(try await Regions.settings(of: region, client))
      }
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
        var settings = try await Regions.settings(of: region, client)
        var paths: [String] = []
        if !rule.isEmpty {
          settings.rules = rule
          paths.append("rules")
        }
        if let approveFirst {
          settings.approveFirst = approveFirst
          paths.append("approve_first")
        }
        if let poolDays {
          settings.poolDays = poolDays
          paths.append("pool_days")
        }
        if let poolCustodian {
          settings.poolCustodian = poolCustodian
          paths.append("pool_custodian")
        }
        if let transferDays {
          settings.transferDays = transferDays
          paths.append("transfer_days")
        }
        if let unitThreshold {
          settings.unitThreshold = unitThreshold
          paths.append("unit_threshold")
        }
        var request = UpdateRegionSettingsRequest()
        request.requestID = UUID().uuidString
        request.settings = settings
        request.updateMask = .with { $0.paths = paths }
        let changed = try await client.members.updateRegionSettings(
          request, options: client.options)
        Regions.say(changed.settings ?? settings)
      }
    }
  }

  fileprivate static func settings(
    of region: String, _ client: SuiteClient
  ) async throws -> RegionSettings {
    var request = GetRegionSettingsRequest()
    request.name = region.contains("/") ? region : "regionSettings/\(region)"
    return try await client.members.getRegionSettings(request, options: client.options).settings
      ?? RegionSettings()
  }

  fileprivate static func say(_ settings: RegionSettings) {
    let source = settings.inheritedFrom.isEmpty ? "" : "  (\(settings.inheritedFrom))"
    Terminal.say(
      """
      \(settings.name)  \(settings.rules.map { contractName($0) }.joined(separator: " > "))\
      \(settings.approveFirst ? "  approve first" : "")  pool \(settings.poolDays) d  \
      transfers \(settings.transferDays) d  units \(settings.unitThreshold)\(source)
      """)
  }
}
