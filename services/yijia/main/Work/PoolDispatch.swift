import ArgumentParser
import Foundation
import MembersV1
import ServiceKit

extension Pool {
  struct Dispatch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Assign the cases of a CSV table to unions, a row for each case.",
      discussion: """
        Columns: pool_case (周转编号), as `yijia pool list` shows it, and receiver (接收工会), the \
        external id of the union or its resource name.
        A wrong row is refused and the others go on; the command then ends with status 2. Run \
        again, the table does nothing twice: a case that is assigned is refused. With --dry-run \
        every row is checked and nothing is stored; a table says how many cases each union would \
        get.
        Examples:
          yijia pool dispatch --dry-run cases.csv
          yijia pool dispatch --refused mend.csv cases.csv
        """)

    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "Check every row and store nothing.") var dryRun = false
    @OptionGroup var table: TableOptions

    func run() async throws {
      try await explained {
        let dispatch = PoolDispatch(try table.read(PoolDispatch.columns), isDryRun: dryRun)
        for note in dispatch.repetitions { Terminal.note(note) }
        try await connection.with(.staff) { client in
          let result = try await dispatch.run(client)
          Terminal.say(
            Terminal.text(
              zh: "\(result.assigned) 件\(dryRun ? "可分派" : "已分派")，"
                + "\(result.refused.count) 行被退回。",
              en: "\(counted(result.assigned, "case")) "
                + "\(dryRun ? "would be assigned" : "assigned"), "
                + "\(counted(result.refused.count, "row")) refused."))
          if dryRun, result.assigned > 0 { Terminal.say(result.unionTable.text) }
          try RefusedRows.report(result.refused, of: dispatch.table, to: table.refused)
          if !result.refused.isEmpty { throw ExitCode(RefusedRows.status) }
        }
      }
    }
  }
}

/// Assigns the rows of a table in one stream and collects the results.
struct PoolDispatch {
  struct Result {
    /// Number of cases by union, as the file calls it.
    var unions: [String: Int] = [:]
    var refused: [RefusedRow] = []

    var assigned: Int { unions.values.reduce(0, +) }

    var unionTable: Table {
      var table = Table("Dispatch 分派", [("receiver 接收工会", .left), ("cases 件数", .right)])
      for (union, cases) in unions.sorted(by: { $0.key < $1.key }) { table.add(union, "\(cases)") }
      return table
    }
  }

  static let columns = [
    CSVColumn("pool_case", "周转编号", path: "name", isRequired: true),
    CSVColumn("receiver", "接收工会", isRequired: true),
  ]

  /// A row as it is sent.
  private struct Row {
    let source: CSVFile.Row
    let request: DispatchPoolCasesRequest
  }

  let table: CSVFile
  private let isDryRun: Bool

  init(_ table: CSVFile, isDryRun: Bool = false) {
    (self.table, self.isDryRun) = (table, isDryRun)
  }

  /// Names the rows of a case that an earlier row assigns: a dry run, which stores nothing, refuses
  /// none of them.
  var repetitions: [String] {
    var seen: [String: Int] = [:]
    return table.rows.compactMap { row in
      guard let first = seen.updateValue(row.number, forKey: Self.name(of: row)) else { return nil }
      return Terminal.text(
        zh: "第 \(row.number) 行与第 \(first) 行是同一件：只分派一次",
        en: "row \(row.number) has the same case as row \(first): it is assigned once")
    }
  }

  func run(_ client: SuiteClient) async throws -> Result {
    var result = Result()
    var (sent, unions): ([Row], [String: String]) = ([], [:])
    for source in table.rows {
      let text = source.values["receiver"] ?? ""
      // Empty where nobody has the name.
      var receiver = unions[text]
      if receiver == nil { receiver = try await OrganizationNames.find(text, client) ?? "" }
      unions[text] = receiver
      if let receiver, !receiver.isEmpty {
        sent.append(Row(source: source, request: request(source, receiver)))
      } else {
        result.refused.append(
          RefusedRow(source, of: table, found: [Self.unknownUnion], error: nil))
      }
    }
    let call = try await client.members.dispatchPoolCases(options: client.options)
    try await RowStream.exchange(sent.map(\.request), on: call) { index, response in
      if case .error(let error) = response.result {
        result.refused.append(
          RefusedRow(sent[index].source, of: table, found: [], error: error))
      } else {
        result.unions[sent[index].source.values["receiver"] ?? "", default: 0] += 1
      }
    }
    result.refused.sort { $0.number < $1.number }
    return result
  }

  private static func name(of row: CSVFile.Row) -> String {
    let name = row.values["pool_case"] ?? ""
    return name.contains("/") ? name : "\(PoolCase.collection)/\(name)"
  }

  private func request(_ row: CSVFile.Row, _ receiver: String) -> DispatchPoolCasesRequest {
    var request = DispatchPoolCasesRequest()
    // A case may be returned and assigned to the same union again: each run is a new act.
    request.requestID = UUID().uuidString
    request.row = Int64(row.number)
    request.name = Self.name(of: row)
    request.receiver = receiver
    request.validateOnly = isDryRun
    return request
  }

  private static var unknownUnion: RefusedRow.Problem {
    RefusedRow.Problem(
      column: "receiver", reason: "ORGANIZATION_NOT_FOUND",
      text: Terminal.text(
        LocalizedText(zh: "没有这个外部编号的组织。", en: "No organization has this external id.")))
  }
}
