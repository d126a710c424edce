import ArgumentParser
import Foundation
import GoogleType
import MembersV1

extension ListAwayReportsRequest: SubtreeRequest, StateRequest {}
extension ReportAwayRequest: MemberRequest {}
extension ReviewAwayReportRequest: ChangeRequest {}
extension FixAwayReportRequest: ChangeRequest {}
extension TrackAwayReportRequest: ChangeRequest {}
extension RevealAwayReportRequest: ReasonedRequest {}
extension RecordAwayCheckRequest: ChangeRequest {}

extension AwayReport: Shown, Addressed {
  static let collection = "awayReports"

  var line: String {
    let check = checkResult == .unspecified ? "to be checked" : contractName(checkResult)
    return columns(
      name, contractName(state), dayText(departureDate), dayText(returnDate), member, organization,
      sampled ? check : "")
  }
}

extension RevealAwayReportResponse: Shown {
  var line: String {
    let details = details ?? AwayDetails()
    return columns(
      report?.name ?? "", details.destination, details.contact, details.familyNote)
  }
}

/// The away ledger.
struct Away: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The away ledger (外出台账): drivers who are away for half a year or more.",
    discussion: """
      Three people keep it: a clerk reports, another one of the township or above files the report \
      or sends it back, and a third one of the county or above draws a sample and checks it by \
      phone. The service refuses a review by the reporter, and a check by either of the two.

      Examples:
        yijia away report 23456789013 --from 2026-12-01 --until 2027-07-01
        yijia away file awayReports/ID --as reviewer
        yijia away send-back awayReports/ID --note "the destination is missing" --as reviewer
        yijia away depart awayReports/ID --on 2026-12-02
        yijia away sample --count 20 --ancestor baiyin --as checker
        yijia away list --sampled --as checker
        yijia away reveal awayReports/ID --reason "phone check" --as checker
        yijia away check awayReports/ID --result CONFIRMED --as checker
      """,
    subcommands: [
      ListCommand<List>.self, ActionCommand<Report>.self, ActionCommand<File>.self,
      ActionCommand<SendBack>.self, ActionCommand<Fix>.self, ActionCommand<Depart>.self,
      ActionCommand<Return>.self, Sample.self, ActionCommand<Reveal>.self,
      ActionCommand<Check>.self,
    ])

  struct List: Worklist {
    static let abstract = "List reports, without whereabouts: by default of who is not yet back."
    @OptionGroup var work: WorkOptions<ListAwayReportsRequest>
    @Flag(help: "List only reports that were drawn for a check.") var sampled = false

    func narrow(_ request: inout ListAwayReportsRequest, _ client: SuiteClient) async throws {
      try await work.narrow(&request, client)
      request.sampledOnly = sampled
    }

    func page(
      _ request: ListAwayReportsRequest, _ client: SuiteClient
    ) async throws -> (rows: [AwayReport], next: String) {
      let page = try await client.members.listAwayReports(request, options: client.options)
      return (page.reports, page.nextPageToken)
    }
  }

  struct File: Action {
    static let abstract = "File reports of another clerk."

    func send(
      _ request: ReviewAwayReportRequest, _ client: SuiteClient
    ) async throws -> AwayReport? {
      try await client.members.reviewAwayReport(request, options: client.options).report
    }
  }

  struct SendBack: Action {
    static let verb = "send-back"
    static let abstract = "Send reports of another clerk back to be fixed."
    @Option(help: "What is wrong or missing; 4 to 200 characters.") var note: String

    func fill(_ request: inout ReviewAwayReportRequest, _ client: SuiteClient) {
      (request.sendBack, request.note) = (true, note)
    }

    func send(
      _ request: ReviewAwayReportRequest, _ client: SuiteClient
    ) async throws -> AwayReport? {
      try await client.members.reviewAwayReport(request, options: client.options).report
    }
  }

  struct Depart: Action {
    static let abstract = "Record that members have departed."
    @OptionGroup var day: DayOption

    func fill(_ request: inout TrackAwayReportRequest, _ client: SuiteClient) {
      request.date = day.date
    }

    func send(
      _ request: TrackAwayReportRequest, _ client: SuiteClient
    ) async throws -> AwayReport? {
      try await client.members.trackAwayReport(request, options: client.options).report
    }
  }

  struct Return: Action {
    static let abstract = "Record that members have returned."
    @OptionGroup var day: DayOption

    func fill(_ request: inout TrackAwayReportRequest, _ client: SuiteClient) {
      (request.hasReturned, request.date) = (true, day.date)
    }

    func send(
      _ request: TrackAwayReportRequest, _ client: SuiteClient
    ) async throws -> AwayReport? {
      try await client.members.trackAwayReport(request, options: client.options).report
    }
  }

  struct DayOption: ParsableArguments {
    @Option(help: "The day, as 2026-12-01; not in the future.", transform: Arguments.day)
    var on: GoogleType.Date

    var date: GoogleType.Date { on }
  }

  struct Reveal: ReasonedAction {
    typealias Subject = AwayReport
    static let abstract = "Show destination, phone number and family note of reports."
    @Option(help: .reason) var reason: String

    func send(
      _ request: RevealAwayReportRequest, _ client: SuiteClient
    ) async throws -> RevealAwayReportResponse? {
      try await client.members.revealAwayReport(request, options: client.options)
    }
  }

  struct Check: Action {
    static let abstract = "Record the result of the phone check of reports that were drawn."
    @Option(help: "CONFIRMED, DIFFERS or NOT_REACHED.", transform: Arguments.contract)
    var result: AwayCheckResult

    func fill(_ request: inout RecordAwayCheckRequest, _ client: SuiteClient) {
      request.result = result
    }

    func send(
      _ request: RecordAwayCheckRequest, _ client: SuiteClient
    ) async throws -> AwayReport? {
      try await client.members.recordAwayCheck(request, options: client.options).report
    }
  }
}
