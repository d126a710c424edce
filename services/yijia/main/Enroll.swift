import ArgumentParser
import Foundation
import GoogleProtobuf
import MembersV1
import Protobuf
import RPC
import ServiceKit

struct Enroll: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Enroll the workers of a CSV roster, as partner or staff of the connection file.",
    discussion: """
      Columns: person_name, resident_id, phone, group, consent_version, consent_evidence, \
      consent_time (RFC 3339); optional: channel, campaign, work_area, residence_area, \
      domicile_area, labour_relation, employer_name, employer_credit_code, platform, \
      organization_code, migrant_worker, vehicle_plate.
      A wrong row is refused with every wrong field named, and the others go on. A row that was \
      received before is a retry, in a corrected file too, and a row that was edited is a new \
      request: nobody is enrolled twice. With --dry-run every row is checked and \
      nothing is stored; staff is told by which rules the rows would be routed.
      Examples:
        yijia enroll examples/ceremony-roster.csv
        yijia enroll --by staff --dry-run examples/ceremony-roster.csv
      """)

  enum Caller: String, ExpressibleByArgument, CaseIterable { case partner, staff }

  @OptionGroup var connection: ConnectionOptions

  @Option(help: "Who enrolls.")
  var by = Caller.partner

  @Flag(help: "Check every row and store nothing.")
  var dryRun = false

  @Argument(help: "The CSV roster.")
  var file: String

  func run() async throws {
    try await connection.with(by == .staff ? .staff : .partner) { client in
      let roster = try RosterEnrollment(file: file, isDryRun: dryRun)
      let result = try await roster.run(client) { Terminal.progress($0) }
      Terminal.endProgress()
      Terminal.say(
        "\(result.received) rows \(dryRun ? "would be received" : "received"), "
          + "\(result.refused.count) refused.")
      if !result.routes.isEmpty { Terminal.say(result.routeTable.text) }
      if !result.refused.isEmpty { Terminal.say(RefusedRows.table(result.refused).text) }
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

  /// Rows in flight; the contract allows 1,000.
  private static let windowRows = 500

  private let csv: CSVFile
  private let isDryRun: Bool

  init(file: String, isDryRun: Bool = false) throws {
    self.isDryRun = isDryRun
    csv = try CSVFile(
      path: file,
      columns: [
        "person_name", "resident_id", "phone", "group", "consent_version", "consent_evidence",
        "consent_time",
      ])
  }

  var rowCount: Int { csv.rows.count }

  func run(
    _ client: SuiteClient, progress: @Sendable @escaping (String) -> Void = { _ in }
  ) async throws -> Result {
    let call = try await client.members.enrollMembers(options: client.options)
    let window = Window(Self.windowRows)
    async let sending: Void = send(on: call, window: window)
    var result = Result()
    for try await response in call.responses {
      switch response.result {
      case .error(let error): result.refused.append(RefusedRow(row: response.row, error: error))
      case .enrollment(let enrollment):
        result.received += 1
        if enrollment.route != .unspecified { result.routes[enrollment.route, default: 0] += 1 }
      case nil: result.received += 1
      }
      window.open()
      let done = result.received + result.refused.count
      if done % 100 == 0 || done == rowCount { progress("\(done)/\(rowCount)") }
    }
    window.finish()
    try await sending
    return result
  }

  private func send(
    on call: BidirectionalCall<EnrollMembersRequest, EnrollMembersResponse>, window: Window
  ) async throws {
    for (index, row) in csv.rows.enumerated() {
      guard await window.wait() else { return }
      var request = EnrollMembersRequest()
      request.row = Int64(index + 2)
      let application = application(row)
      // The id is derived from the application's content, not from the file or the row's position:
      // in a corrected file, rows that were received before are retries, and an edited row is a new
      // request.
      request.requestID = StableRequestID(Data(try application.wireBytes())).id("enrollment")
      request.application = application
      request.validateOnly = isDryRun
      try await call.send(request)
    }
    try await call.finishSending()
  }

  private func application(_ row: [String: String]) -> EnrollmentApplication {
    var application = EnrollmentApplication()
    application.personName = row["person_name"] ?? ""
    application.residentID = row["resident_id"] ?? ""
    application.phone = row["phone"] ?? ""
    application.group = enumValue(row["group"] ?? "", of: OccupationGroup.self)
    application.channel = enumValue(row["channel"] ?? "", of: MembersV1.Channel.self)
    application.campaign = row["campaign"] ?? ""
    application.consent = consent(row)
    var areas = Areas()
    areas.work = row["work_area"] ?? ""
    areas.residence = row["residence_area"] ?? ""
    areas.domicile = row["domicile_area"] ?? ""
    application.areas = areas
    application.labourRelation =
      enumValue(row["labour_relation"] ?? "", of: LabourRelation.self)
    application.employerName = row["employer_name"] ?? ""
    application.employerCreditCode = row["employer_credit_code"] ?? ""
    application.platform = row["platform"] ?? ""
    application.organizationCode = row["organization_code"] ?? ""
    application.migrantWorker = row["migrant_worker"]?.lowercased() == "true"
    application.vehiclePlate = row["vehicle_plate"] ?? ""
    return application
  }

  /// Returns nil where the row states none, so that the service reports what is missing.
  private func consent(_ row: [String: String]) -> Consent? {
    let version = row["consent_version"] ?? ""
    let evidence = row["consent_evidence"] ?? ""
    let time = row["consent_time"] ?? ""
    guard !(version.isEmpty && evidence.isEmpty && time.isEmpty) else { return nil }
    var consent = Consent()
    consent.version = version
    consent.evidence = evidence
    if let date = try? Date(time, strategy: .iso8601) {
      consent.agreeTime = Timestamp(microseconds: date.microseconds)
    }
    return consent
  }
}

/// A row that a service refused.
struct RefusedRow: Sendable {
  let row: Int64
  let reasons: [String]
  let message: String

  init(row: Int64, error: RecordError) {
    self.row = row
    let fields = error.fieldViolations.map { "\($0.field): \($0.reason)" }
    reasons = fields.isEmpty ? [error.reason] : fields
    message = error.message
  }
}

enum RefusedRows {
  /// Returns a table with one line per row: what is wrong with it, field by field.
  static func table(_ rows: [RefusedRow]) -> Table {
    var table = Table("Refused rows 被退回的行", [("row 行", .right), ("reason 原因", .left)])
    for row in rows { table.add("\(row.row)", row.reasons.joined(separator: "; ")) }
    return table
  }
}
