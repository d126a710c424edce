import ArgumentParser
import Foundation
import GoogleType
import MembersV1

/// The days and whereabouts of an absence.
struct AbsenceOptions: ParsableArguments {
  @Option(help: "The day of departure, as 2026-12-01; not before today.", transform: Arguments.day)
  var from: GoogleType.Date
  @Option(
    help: "The day of return, as 2027-07-01; at least 180 days later.", transform: Arguments.day)
  var until: GoogleType.Date

  static let discussion = """
    Reads three lines from standard input: the destination, the phone number while away, and a \
    note on the family, which may be empty.
    """

  func details() throws -> AwayDetails {
    var details = AwayDetails()
    details.destination = try SecretInput.readShown(zh: "去向", en: "Destination")
    details.contact = try SecretInput.readShown(zh: "外出期间的电话", en: "Phone number while away")
    details.familyNote = try SecretInput.readShown(zh: "家庭情况说明", en: "Note on the family")
    return details
  }
}

extension Away {
  struct Report: Action {
    typealias Subject = Member
    static let abstract = "Report that members will be away for half a year or more."
    static let discussion = AbsenceOptions.discussion
    @OptionGroup var absence: AbsenceOptions

    func fill(_ request: inout ReportAwayRequest, _ client: SuiteClient) throws {
      (request.departureDate, request.returnDate) = (absence.from, absence.until)
      request.details = try absence.details()
    }

    func send(
      _ request: ReportAwayRequest, _ client: SuiteClient
    ) async throws -> AwayReport? {
      try await client.members.reportAway(request, options: client.options).report
    }
  }

  struct Fix: Action {
    static let abstract = "Correct reports that were sent back, and submit them again."
    static let discussion = AbsenceOptions.discussion
    @OptionGroup var absence: AbsenceOptions

    func fill(_ request: inout FixAwayReportRequest, _ client: SuiteClient) throws {
      (request.departureDate, request.returnDate) = (absence.from, absence.until)
      request.details = try absence.details()
    }

    func send(
      _ request: FixAwayReportRequest, _ client: SuiteClient
    ) async throws -> AwayReport? {
      try await client.members.fixAwayReport(request, options: client.options).report
    }
  }

  struct Sample: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Draw reports at random for phone checks, and list them.",
      discussion: """
        The service draws the seed, and anybody can repeat the draw with it: the sample are the \
        reports with the smallest SHA-256 of seed, line feed and identifier.
        """)

    @OptionGroup var connection: ConnectionOptions
    @Option(help: "How many; 1 to 1000.") var count: Int32
    @Option(help: "The organization from whose subtree to draw. [default: your own]")
    var ancestor = ""

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = DrawAwaySampleRequest()
        request.requestID = UUID().uuidString
        request.ancestor = try await OrganizationNames.resolve(ancestor, client)
        request.count = count
        let drawn = try await client.members.drawAwaySample(request, options: client.options)
        for report in drawn.reports { Terminal.say(report) }
        Terminal.note(
          "\(drawn.reports.count) of \(counted(drawn.population, "report")); seed \(drawn.seed)")
      }
    }
  }
}
