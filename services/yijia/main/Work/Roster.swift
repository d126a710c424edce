import ArgumentParser
import Foundation
import MembersV1
import RPC
import ServiceKit

/// Rosters of licenses and industries.
struct Roster: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare rosters of licenses and industries with the members.",
    subcommands: [Compare.self])

  struct Compare: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say of each person of a roster whether they are a member, and list the units.",
      discussion: """
        Columns: resident_id (身份证号) or resident_id_sha256 (身份证号摘要, 64 hexadecimal digits); \
        optional: person_name (姓名), unit_name (单位名称), unit_credit_code (单位信用代码), phone \
        (手机号), address (地址).
        Shows the number of rows by verdict, and the units without a union, largest first. \
        Nothing of the roster is stored, except for an outreach list where one is named; each row \
        counts against a daily quota.
        Example: yijia roster compare roster.csv --purpose "license roster of May" \
        --verdicts verdicts.csv
        """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The CSV file; - is standard input.") var file: String
    @Option(help: "Heading of a column to pass over; may be repeated.") var ignore: [String] = []
    @Option(help: "Why, for the audit log; 4 to 200 characters.") var purpose: String
    @Option(help: "The organization whose subtree is \"here\". [default: your own]")
    var organization = ""
    @Option(help: "An outreach list, to which those who are no members are added.") var list = ""
    @Option(help: "File for the roster with a verdict for each row.") var verdicts: String?

    func run() async throws {
      try await explained {
        if let verdicts { try Arguments.requireWritable(verdicts) }
        let roster = try RosterComparison(
          CSVFile(path: file, columns: RosterComparison.columns, ignoring: ignore))
        try await connection.with(.staff) { client in
          var header = RosterHeader()
          header.organization = try await OrganizationNames.resolve(organization, client)
          header.purpose = purpose
          header.outreachList =
            list.isEmpty ? "" : try await OutreachList.resourceName(of: list, client)
          let result = try await roster.run(header, client)
          Terminal.say(RosterComparison.text(result.summary))
          if !list.isEmpty {
            Terminal.say("\(counted(result.summary.outreachAdded, "row")) added to the list.")
          }
          if let verdicts { try roster.write(result.verdicts, to: verdicts) }
        }
      }
    }
  }
}

/// Compares the rows of a table in one stream.
struct RosterComparison {
  static let columns = [
    CSVColumn("resident_id", "身份证号"),
    CSVColumn("resident_id_sha256", "身份证号摘要"),
    CSVColumn("person_name", "姓名"),
    CSVColumn("unit_name", "单位名称"),
    CSVColumn("unit_credit_code", "单位信用代码"),
    CSVColumn("phone", "手机号"),
    CSVColumn("address", "地址"),
  ]

  /// Rows of a message; the contract allows 4,096.
  private static let messageRows = 1_000

  private let table: CSVFile

  /// - Throws: ``ConfigurationError`` where nothing in the table says who anybody is.
  init(_ table: CSVFile) throws {
    guard ["resident_id", "resident_id_sha256"].contains(where: { table.heading(of: $0) != nil })
    else {
      throw ConfigurationError(
        zh: "缺少“身份证号”列（resident_id）或“身份证号摘要”列（resident_id_sha256）",
        en: "column resident_id (身份证号) or resident_id_sha256 (身份证号摘要) is missing")
    }
    self.table = table
  }

  func run(
    _ header: RosterHeader, _ client: SuiteClient
  ) async throws -> (verdicts: [RosterVerdict], summary: RosterSummary) {
    let call = try await client.members.compareRoster(options: client.options)
    async let sending: Void = send(header, on: call)
    var (verdicts, summary): ([RosterVerdict], RosterSummary) = ([], RosterSummary())
    for try await response in call.responses {
      switch response.part {
      // The verdicts come in the order of the rows.
      case .results(let part): verdicts += part.results.map(\.verdict)
      case .summary(let whole): summary = whole
      case nil: continue
      }
    }
    try await sending
    return (verdicts, summary)
  }

  private func send(
    _ header: RosterHeader,
    on call: BidirectionalCall<CompareRosterRequest, CompareRosterResponse>
  ) async throws {
    var request = CompareRosterRequest()
    request.part = .header(header)
    try await call.send(request)
    for start in stride(from: 0, to: table.rows.count, by: Self.messageRows) {
      var rows = RosterRows()
      rows.rows = table.rows[start...].prefix(Self.messageRows).map(Self.row)
      request.part = .rows(rows)
      try await call.send(request)
    }
    try await call.finishSending()
  }

  private static func row(_ source: CSVFile.Row) -> RosterRow {
    let text = { source.values[$0] ?? "" }
    var row = RosterRow()
    row.row = Int64(source.number)
    row.residentID = text("resident_id")
    row.residentIDSHA256 = bytes(ofHexadecimal: text("resident_id_sha256"))
    row.personName = text("person_name")
    row.unitName = text("unit_name")
    row.unitCreditCode = text("unit_credit_code")
    row.phone = text("phone")
    row.address = text("address")
    return row
  }

  /// Returns nothing for text that is not hexadecimal: the service then calls the row invalid.
  private static func bytes(ofHexadecimal text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue).map { UInt8($0) }
    guard digits.count == text.count, digits.count.isMultiple(of: 2) else { return [] }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  /// The rows by verdict, and the units without a union.
  static func text(_ summary: RosterSummary) -> String {
    var rows = Table("Roster 名册比对", [("verdict 结果", .left), ("rows 行数", .right)])
    for count in summary.counts { rows.add(contractName(count.verdict), "\(count.rows)") }
    guard !summary.units.isEmpty else { return rows.text }
    var units = Table(
      "Units without a union 未建会单位",
      [
        ("unit 单位", .left), ("credit code 信用代码", .left), ("rows 行数", .right),
        ("not members 未入会", .right),
      ])
    for unit in summary.units {
      units.add(unit.name, unit.creditCode, "\(unit.rows)", "\(unit.notMembers)")
    }
    let cut = "Some units are missing: the roster has more than are counted."
    return ([rows.text, units.text] + (summary.unitsCut ? [cut] : [])).joined(separator: "\n")
  }

  /// Writes the roster with a further column; it holds people's data.
  func write(_ verdicts: [RosterVerdict], to file: String) throws {
    let lines =
      [table.header + ["verdict"]]
      + zip(table.rows, verdicts).map { $0.cells + [contractName($1)] }
    let text = lines.map { $0.map(CSVFile.cell).joined(separator: ",") }.joined(separator: "\n")
    try SecretFile.write("\u{FEFF}\(text)\n", to: URL(filePath: file))
    Terminal.note("\(file): written")
  }
}
