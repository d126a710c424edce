import ArgumentParser
import Foundation
import GoogleType
import MembersV1
import RPC

struct Import: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Import a tree of organizations from a CSV file.",
    discussion: """
      Columns: external_id, parent_external_id, display_name, kind, level, region_code; optional: \
      groups, credit_code, employer_credit_codes (items separated by ;), takes_individuals (true), \
      state, industry_group, opened_date (YYYY-MM-DD). Parents stand before their children. A \
      repeated import changes nothing.
      Example: yijia import examples/organizations.csv
      """)

  @OptionGroup var connection: ConnectionOptions

  @Argument(help: "The CSV file.")
  var file: String

  func run() async throws {
    try await connection.with(.staff) { client in
      let result = try await OrganizationImport(file: file).run(client)
      Terminal.say("\(result.stored) organizations stored, \(result.refused.count) rows refused.")
      if !result.refused.isEmpty { Terminal.say(RefusedRows.table(result.refused).text) }
    }
  }
}

/// Imports the rows of an organization file in one stream and collects the results.
struct OrganizationImport {
  struct Result {
    var stored = 0
    var refused: [RefusedRow] = []
  }

  private let csv: CSVFile

  init(file: String) throws {
    csv = try CSVFile(
      path: file,
      columns: [
        "external_id", "parent_external_id", "display_name", "kind", "level", "region_code",
      ])
  }

  func run(_ client: SuiteClient) async throws -> Result {
    let call = try await client.members.importOrganizations(options: client.options)
    let requests = try csv.rows.enumerated().map { index, row in
      try request(row, number: index + 2)
    }
    async let sending: Void = send(requests, on: call)
    var result = Result()
    for try await response in call.responses {
      switch response.result {
      case .error(let error): result.refused.append(RefusedRow(row: response.row, error: error))
      case .organization, nil: result.stored += 1
      }
    }
    try await sending
    return result
  }

  private func send(
    _ requests: [ImportOrganizationsRequest],
    on call: BidirectionalCall<ImportOrganizationsRequest, ImportOrganizationsResponse>
  ) async throws {
    for request in requests { try await call.send(request) }
    try await call.finishSending()
  }

  private func request(_ row: [String: String], number: Int) throws -> ImportOrganizationsRequest {
    var request = ImportOrganizationsRequest()
    let key = row["external_id"] ?? ""
    // The id is derived from the row's content, so a changed row is a new request.
    let content = row.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }.joined(separator: "\n")
    request.requestID = StableRequestID(Data(content.utf8)).id("organization")
    request.row = Int64(number)
    request.externalID = key
    request.parentExternalID = row["parent_external_id"] ?? ""
    request.displayName = row["display_name"] ?? ""
    request.kind = enumValue(row["kind"] ?? "", of: OrganizationKind.self)
    request.level = enumValue(row["level"] ?? "", of: OrganizationLevel.self)
    request.regionCode = row["region_code"] ?? ""
    request.groups = CSVFile.items(row["groups"]).map { enumValue($0, of: OccupationGroup.self) }
    request.creditCode = row["credit_code"] ?? ""
    request.employerCreditCodes = CSVFile.items(row["employer_credit_codes"])
    request.takesIndividuals = row["takes_individuals"]?.lowercased() == "true"
    request.state = enumValue(row["state"] ?? "", of: OrganizationState.self)
    request.industryGroup = row["industry_group"] ?? ""
    request.openedDate = Self.date(row["opened_date"] ?? "")
    return request
  }

  /// Parses a date; a malformed one becomes an invalid date, so that the service reports the field.
  private static func date(_ text: String) -> GoogleType.Date? {
    guard !text.isEmpty else { return nil }
    let parts = text.split(separator: "-").map { Int32($0) ?? 0 }
    var date = GoogleType.Date()
    guard parts.count == 3 else { return date }
    (date.year, date.month, date.day) = (parts[0], parts[1], parts[2])
    return date
  }
}
