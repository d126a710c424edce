import ArgumentParser
import Foundation
import GoogleType
import MembersV1
import OperationsV1
import RPC
import ServiceKit

struct StatisticsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "statistics",
    abstract: "Show the figures of members, set bases and targets; check the counters.",
    subcommands: [
      Enrollments.self, CoverageTable.self, ListCommand<Bases>.self, SetBase.self,
      SetTarget.self, Recount.self,
    ])

  struct Enrollments: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show new members by group and channel, or write all figures as a CSV table.",
      discussion: """
        Examples:
          yijia statistics enrollments --organization qinhuangdao --from 2026-01-01
          yijia statistics enrollments --csv figures.csv
        """)

    @OptionGroup var connection: ConnectionOptions
    @Option(help: "The organization whose subtree is counted. [default: your own]")
    var organization = ""
    @Option(
      help: "The first day, as 2026-01-01. [default: from the beginning]",
      transform: Arguments.day)
    var from: GoogleType.Date?
    @Option(help: "The last day, as 2026-01-31. [default: today]", transform: Arguments.day)
    var to: GoogleType.Date?
    @Option(
      help: """
        File for a table with a row for each organization, day, group, channel and campaign; - is \
        standard output.
        """)
    var csv: String?

    func run() async throws {
      try await explained {
        if let csv, csv != "-" { try Arguments.requireWritable(csv) }
        try await connection.with(.staff) { client in
          let name = try await OrganizationNames.resolve(organization, client)
          if let csv {
            try await export(name, to: csv, client)
          } else {
            try await show(name, client)
          }
        }
      }
    }

    private func show(_ name: String, _ client: SuiteClient) async throws {
      var request = GetEnrollmentStatisticsRequest()
      (request.ancestor, request.startDate, request.endDate) = (name, from, to)
      let counted = try await client.members.getEnrollmentStatistics(
        request, options: client.options)
      Terminal.say(EnrollmentTable.text(counted.counts))
    }

    private func export(_ name: String, to file: String, _ client: SuiteClient) async throws {
      var request = ExportEnrollmentStatisticsRequest()
      (request.ancestor, request.startDate, request.endDate) = (name, from, to)
      let parts = try await client.members.exportEnrollmentStatistics(
        request, options: client.options)
      try await CSVExport.write(to: file, parts.map { $0.csv })
    }
  }

  struct CoverageTable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "coverage",
      abstract: "Show the coverage of an organization and those directly below it, or write CSV.",
      discussion: """
        Coverage is the number of members over a confirmed base. The last row is the organization \
        itself, with its own base: it counts its whole subtree.
        Examples:
          yijia statistics coverage --organization baiyin --group TRUCK_DRIVER
          yijia statistics coverage --csv coverage.csv
        """)

    @OptionGroup var connection: ConnectionOptions
    @Option(help: "The organization. [default: your own]") var organization = ""
    @Option(help: "An occupation group. [default: all]", transform: Arguments.contract)
    var group: OccupationGroup?
    @Option(
      help: "File for a table with bases, sources and online shares; - is standard output.")
    var csv: String?

    func run() async throws {
      try await explained {
        if let csv, csv != "-" { try Arguments.requireWritable(csv) }
        try await connection.with(.staff) { client in
          let name = try await OrganizationNames.resolve(organization, client)
          if let csv {
            var request = ExportCoveragesRequest()
            (request.parent, request.group) = (name, group ?? .unspecified)
            let parts = try await client.members.exportCoverages(request, options: client.options)
            try await CSVExport.write(to: csv, parts.map { $0.csv })
          } else {
            try await show(name, client)
          }
        }
      }
    }

    private func show(_ name: String, _ client: SuiteClient) async throws {
      var request = ListCoveragesRequest()
      (request.parent, request.group) = (name, group ?? .unspecified)
      var table = Table(
        "Coverage 覆盖率",
        [
          ("organization 组织", .left), ("members 会员", .right), ("online 线上", .right),
          ("base 基数", .right), ("coverage 覆盖", .right), ("needed 差额", .right),
        ])
      repeat {
        let page = try await client.members.listCoverages(request, options: client.options)
        for row in page.coverages { table.add(Self.cells(of: row)) }
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty
      table.addTotal(Self.cells(of: try await whole(name, client)))
      Terminal.say(table.text)
    }

    /// The coverage of the organization itself, as a row.
    private func whole(_ name: String, _ client: SuiteClient) async throws -> OrganizationCoverage {
      var request = GetCoverageRequest()
      (request.organization, request.group) = (name, group ?? .unspecified)
      let own = try await client.members.getCoverage(request, options: client.options)
      var row = OrganizationCoverage()
      row.organizationName = "total 合计"
      (row.members, row.onlineMembers) = (own.members, own.onlineMembers)
      (row.base, row.coverageBasisPoints) = (own.base, own.coverageBasisPoints)
      (row.target, row.peopleNeeded) = (own.target, own.peopleNeeded)
      return row
    }

    private static func cells(of row: OrganizationCoverage) -> [String] {
      [
        row.organizationName, "\(row.members)", "\(row.onlineMembers)",
        row.base.map { "\($0.people)\($0.qualifier)" } ?? "",
        row.base == nil ? "" : String(format: "%.2f %%", Double(row.coverageBasisPoints) / 100),
        row.target == nil || row.base == nil ? "" : "\(row.peopleNeeded)",
      ]
    }
  }

  struct Recount: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Count again, beside the service's work, and name the counters that are wrong.",
      discussion: "Example: yijia statistics recount --config .dev/members.yaml")
    @OptionGroup var options: OperatorOptions

    func run() async throws {
      try await explained {
        let result = try await options.run(.recountStatistics(RecountStatisticsTask()))
        for finding in result.findings { Terminal.say(finding) }
        guard result.sound else { throw ExitCode.failure }
        Terminal.say("every counter says what a recount says")
      }
    }
  }
}

/// The table of new members by group and channel.
enum EnrollmentTable {
  static func text(_ counts: [EnrollmentCount]) -> String {
    var table = Table(
      "Enrolled by group and channel 入会人数",
      [("group 群体", .left), ("channel 渠道", .left), ("members 人数", .right)])
    for count in counts {
      table.add(Label.of(count.group), Label.of(count.channel), "\(count.members)")
    }
    table.addTotal("total 合计", "", "\(counts.reduce(0) { $0 + $1.members })")
    return table.text
  }
}

/// Writes a table that is streamed in parts.
enum CSVExport {
  /// Writes to a file, whole or not at all; `-` is standard output.
  static func write<Parts: AsyncSequence>(
    to file: String, _ parts: Parts
  ) async throws where Parts.Element == [UInt8] {
    guard file != "-" else {
      for try await part in parts { try FileHandle.standardOutput.write(contentsOf: Data(part)) }
      return
    }
    let draft = "\(file).draft"
    guard FileManager.default.createFile(atPath: draft, contents: nil),
      let handle = FileHandle(forWritingAtPath: draft)
    else { throw ConfigurationError("\(draft): cannot be written") }
    do {
      for try await part in parts { try handle.write(contentsOf: Data(part)) }
      try handle.close()
    } catch {
      unlink(draft)
      throw error
    }
    guard rename(draft, file) == 0 else {
      throw ConfigurationError("\(file): cannot be put in place")
    }
    Terminal.note("\(file): written")
  }
}
