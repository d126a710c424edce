import ArgumentParser
import Foundation
import GoogleProtobuf
import MembersV1
import Protobuf
import ServiceKit
import Storage

struct Enroll: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Enroll the workers of a CSV roster, as partner or staff of the connection file.",
    discussion: """
      Columns: person_name, resident_id, phone, group, consent_version, consent_evidence, \
      consent_time (RFC 3339); optional: channel, campaign, work_area, residence_area, \
      domicile_area, labour_relation, employer_name, employer_credit_code, platform, \
      organization_code, migrant_worker, new_form_worker, vehicle_plate, driver_license.
      Headings may be Chinese too: 姓名, 身份证号, 手机号, 群体 and so on. Cells are separated by commas, \
      semicolons or tabs; migrant_worker and new_form_worker are true or false, 是 or 否.
      A wrong row is refused with every wrong field named, and the others go on; the command then \
      ends with status 2. A row that was received before is a retry, in a corrected file too, and \
      a row that was edited is a new request: nobody is enrolled twice. With --dry-run every row \
      is checked and nothing is stored; staff is told by which rules the rows would be routed.
      Examples:
        yijia enroll examples/ceremony-roster.csv
        yijia enroll --by staff --dry-run examples/ceremony-roster.csv
        yijia enroll --refused mend.csv roster.csv     then mend that file and enroll it
      """)

  enum Caller: String, ExpressibleByArgument, CaseIterable { case partner, staff }

  @OptionGroup var connection: ConnectionOptions

  @Option(help: "Who enrolls.")
  var by = Caller.partner

  @Flag(help: "Check every row and store nothing.")
  var dryRun = false

  @OptionGroup var table: TableOptions

  func run() async throws {
    try await explained {
      let roster = try RosterEnrollment(table.read(RosterColumns.all), isDryRun: dryRun)
      for note in roster.repetitions { Terminal.note(note) }
      try await connection.with(by == .staff ? .staff : .partner) { client in
        let result = try await roster.run(client) { Terminal.progress($0) }
        Terminal.endProgress()
        Terminal.say(
          Terminal.text(
            zh: "\(result.received) 行\(dryRun ? "可受理" : "已受理")，"
              + "\(result.refused.count) 行被退回。",
            en: "\(counted(result.received, "row")) \(dryRun ? "would be received" : "received"), "
              + "\(result.refused.count) refused."))
        if !result.routes.isEmpty { Terminal.say(result.routeTable.text) }
        try RefusedRows.report(result.refused, of: roster.table, to: table.refused)
        if !result.refused.isEmpty { throw ExitCode(RefusedRows.status) }
      }
    }
  }
}

/// Enrolls the rows of a roster in one stream and collects the results.
struct RosterEnrollment {
  struct Result {
    var received = 0
    var refused: [RefusedRow] = []
    /// Number of rows by routing rule; empty where the caller is not told the route.
    var routes: [Route: Int] = [:]

    var routeTable: Table {
      var table = Table("Routing 分流", [("rule 规则", .left), ("rows 行数", .right)])
      for (route, rows) in routes.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
        table.add(contractName(route), "\(rows)")
      }
      return table
    }
  }

  let table: CSVFile
  private let isDryRun: Bool
  private let rows: [Row]

  /// A row as it is sent.
  private struct Row {
    let source: CSVFile.Row
    let request: EnrollMembersRequest
    /// What is wrong with it that the request cannot say: it is checked and not stored.
    let problems: [RefusedRow.Problem]
  }

  init(_ table: CSVFile, isDryRun: Bool = false) throws {
    self.table = table
    self.isDryRun = isDryRun
    rows = try table.rows.map { row in
      var reader = RowReader(row)
      var request = EnrollMembersRequest()
      request.row = Int64(row.number)
      let application = Self.application(&reader)
      // The id is derived from the application's content, not from the file or the row's position:
      // in a corrected file, rows that were received before are retries, and an edited row is a new
      // request.
      request.requestID = StableRequestID(Data(try application.wireBytes())).id("enrollment")
      request.application = application
      request.validateOnly = isDryRun || !reader.problems.isEmpty
      return Row(source: row, request: request, problems: reader.problems)
    }
  }

  var rowCount: Int { rows.count }

  /// Names the rows that say the same as an earlier one, which are one enrollment.
  var repetitions: [String] {
    var seen: [String: Int] = [:]
    return rows.compactMap { row in
      let number = row.source.number
      guard let first = seen.updateValue(number, forKey: row.request.requestID) else { return nil }
      return Terminal.text(
        zh: "第 \(number) 行与第 \(first) 行内容相同：只算一份申请",
        en: "row \(number) says the same as row \(first): they are one enrollment")
    }
  }

  func run(
    _ client: SuiteClient, progress: @Sendable @escaping (String) -> Void = { _ in }
  ) async throws -> Result {
    let call = try await client.members.enrollMembers(options: client.options)
    var result = Result()
    try await RowStream.exchange(rows.map(\.request), on: call) { index, response in
      take(response, of: rows[index], into: &result)
      let done = index + 1
      if done % 100 == 0 || done == rowCount { progress("\(done)/\(rowCount)") }
    }
    return result
  }

  private func take(
    _ response: EnrollMembersResponse, of row: Row, into result: inout Result
  ) {
    var (error, enrollment): (RecordError?, Enrollment?)
    switch response.result {
    case .error(let told): error = told
    case .enrollment(let told): enrollment = told
    case nil: break
    }
    guard error == nil, row.problems.isEmpty else {
      result.refused.append(
        RefusedRow(row.source, of: table, found: row.problems, error: error))
      return
    }
    result.received += 1
    let route = enrollment?.route ?? .unspecified
    if route != .unspecified { result.routes[route, default: 0] += 1 }
  }

  private static func application(_ row: inout RowReader) -> EnrollmentApplication {
    var application = EnrollmentApplication()
    application.personName = row.text("person_name")
    application.residentID = row.text("resident_id")
    application.phone = row.text("phone")
    application.group = row.value("group", of: OccupationGroup.self)
    application.channel = row.value("channel", of: MembersV1.Channel.self)
    application.campaign = row.text("campaign")
    application.consent = consent(&row)
    var areas = Areas()
    areas.work = row.text("work_area")
    areas.residence = row.text("residence_area")
    areas.domicile = row.text("domicile_area")
    application.areas = areas
    application.labourRelation = row.value("labour_relation", of: LabourRelation.self)
    application.employerName = row.text("employer_name")
    application.employerCreditCode = row.text("employer_credit_code")
    application.platform = row.text("platform")
    application.organizationCode = row.text("organization_code")
    application.migrantWorker = row.flag("migrant_worker")
    application.newFormWorker = row.flag("new_form_worker")
    application.vehiclePlate = row.text("vehicle_plate")
    application.driverLicense = row.text("driver_license")
    return application
  }

  /// Returns nil where the row states none, so that the service reports what is missing.
  private static func consent(_ row: inout RowReader) -> Consent? {
    let (version, evidence) = (row.text("consent_version"), row.text("consent_evidence"))
    guard !(version.isEmpty && evidence.isEmpty && row.text("consent_time").isEmpty) else {
      return nil
    }
    return .with {
      $0.version = version
      $0.evidence = evidence
      $0.agreeTime = row.time("consent_time")
    }
  }
}

/// The columns of a roster.
enum RosterColumns {
  static let all = [
    field("person_name", "姓名", isRequired: true),
    field("resident_id", "身份证号", isRequired: true),
    field("phone", "手机号", isRequired: true),
    field(
      "group", "群体", isRequired: true, values: contractNames(of: OccupationGroup.self)),
    field("consent_version", "同意书版本", at: "consent.version", isRequired: true),
    field("consent_evidence", "同意凭证", at: "consent.evidence", isRequired: true),
    field("consent_time", "同意时间", at: "consent.agree_time", isRequired: true),
    field("channel", "渠道", values: contractNames(of: MembersV1.Channel.self)),
    field("campaign", "活动"),
    field("work_area", "工作地区", at: "areas.work"),
    field("residence_area", "居住地区", at: "areas.residence"),
    field("domicile_area", "户籍地区", at: "areas.domicile"),
    field("labour_relation", "劳动关系", values: contractNames(of: LabourRelation.self)),
    field("employer_name", "单位名称"),
    field("employer_credit_code", "单位信用代码"),
    field("platform", "平台"),
    field("organization_code", "组织码"),
    field("migrant_worker", "农民工"),
    field("new_form_worker", "新就业形态"),
    field("vehicle_plate", "车牌号"),
    field("driver_license", "准驾车型"),
  ]

  private static func field(
    _ name: String, _ heading: String, at path: String? = nil, isRequired: Bool = false,
    values: [String] = []
  ) -> CSVColumn {
    CSVColumn(
      name, heading, path: "application.\(path ?? name)", isRequired: isRequired, values: values)
  }
}
