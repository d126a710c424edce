import ArgumentParser
import Foundation
import GoogleType
import MembersV1
import ServiceKit

struct Import: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Import a tree of organizations from a CSV file.",
    discussion: """
      Columns: external_id, parent_external_id, display_name, kind, level, region_code; optional: \
      groups, credit_code, employer_credit_codes (items separated by ;), takes_individuals (true \
      or false, 是 or 否), state, industry_group, opened_date (YYYY-MM-DD). Parents stand before \
      their children. A wrong row is refused and the others go on; the command then ends with \
      status 2. A repeated import changes nothing.
      Example: yijia import examples/organizations.csv
      """)

  @OptionGroup var connection: ConnectionOptions

  @OptionGroup var table: TableOptions

  func run() async throws {
    try await explained {
      let tree = OrganizationImport(try table.read(OrganizationColumns.all))
      try await connection.with(.staff) { client in
        let result = try await tree.run(client)
        Terminal.say(
          Terminal.text(
            zh: "已保存 \(result.stored) 个组织，\(result.refused.count) 行被退回。",
            en: "\(counted(result.stored, "organization")) stored, "
              + "\(counted(result.refused.count, "row")) refused."))
        try RefusedRows.report(result.refused, of: tree.table, to: table.refused)
        if !result.refused.isEmpty { throw ExitCode(RefusedRows.status) }
      }
    }
  }
}

/// The table that a command reads, and what becomes of its rows.
struct TableOptions: ParsableArguments {
  @Argument(help: "The CSV file; - is standard input.")
  var file: String

  @Option(help: "Heading of a column to pass over; may be repeated.")
  var ignore: [String] = []

  @Option(help: "File to write refused rows to, with a column that says what is wrong.")
  var refused: String?

  /// Reads the table; first sees whether the refused rows can be kept, and not in its place.
  func read(_ columns: [CSVColumn]) throws -> CSVFile {
    if let refused {
      try Arguments.requireWritable(refused)
      guard !Arguments.isSame(file, refused) else {
        throw ConfigurationError(
          zh: "\(refused)：--refused 就是所读的文件，其中其他的行会丢失；请换一个文件",
          en: "\(refused): --refused is the file that is read, whose other rows would be lost; "
            + "name another one")
      }
    }
    return try CSVFile(path: file, columns: columns, ignoring: ignore)
  }
}

/// Imports the rows of an organization file in one stream and collects the results.
struct OrganizationImport {
  struct Result {
    var stored = 0
    var refused: [RefusedRow] = []
  }

  let table: CSVFile
  private let rows: [Row]

  private struct Row {
    let source: CSVFile.Row
    let request: ImportOrganizationsRequest
    /// What is wrong with it that the request cannot say: it is not sent.
    let problems: [RefusedRow.Problem]
  }

  init(_ table: CSVFile) {
    self.table = table
    rows = table.rows.map { row in
      var reader = RowReader(row)
      let request = Self.request(&reader)
      return Row(source: row, request: request, problems: reader.problems)
    }
  }

  func run(_ client: SuiteClient) async throws -> Result {
    let call = try await client.members.importOrganizations(options: client.options)
    let sent = rows.filter(\.problems.isEmpty)
    var result = Result()
    result.refused = rows.filter { !$0.problems.isEmpty }.map { row in
      RefusedRow(row.source, of: table, found: row.problems, error: nil)
    }
    try await RowStream.exchange(sent.map(\.request), on: call) { index, response in
      if case .error(let error) = response.result {
        result.refused.append(
          RefusedRow(sent[index].source, of: table, found: [], error: error))
      } else {
        result.stored += 1
      }
    }
    result.refused.sort { $0.number < $1.number }
    return result
  }

  private static func request(_ row: inout RowReader) -> ImportOrganizationsRequest {
    var request = ImportOrganizationsRequest()
    // The id is derived from the row's content, so a changed row is a new request.
    let content = row.row.values.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
    request.requestID = StableRequestID(Data(content.joined(separator: "\n").utf8))
      .id("organization")
    request.row = Int64(row.row.number)
    request.externalID = row.text("external_id")
    request.parentExternalID = row.text("parent_external_id")
    request.displayName = row.text("display_name")
    request.kind = row.value("kind", of: OrganizationKind.self)
    request.level = row.value("level", of: OrganizationLevel.self)
    request.regionCode = row.text("region_code")
    request.groups = CSVFile.items(row.text("groups")).map {
      enumValue($0, of: OccupationGroup.self)
    }
    request.creditCode = row.text("credit_code")
    request.employerCreditCodes = CSVFile.items(row.text("employer_credit_codes"))
    request.takesIndividuals = row.flag("takes_individuals")
    request.state = row.value("state", of: OrganizationState.self)
    request.industryGroup = row.text("industry_group")
    request.openedDate = row.date("opened_date")
    return request
  }
}
