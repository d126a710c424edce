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
        again, the table does nothing twice: a case that is assigned is refused.
        Example: yijia pool dispatch --refused mend.csv cases.csv
        """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var table: TableOptions

    func run() async throws {
      try await explained {
        let dispatch = PoolDispatch(
          try CSVFile(path: table.file, columns: PoolDispatch.columns, ignoring: table.ignore))
        try await connection.with(.staff) { client in
          let result = try await dispatch.run(client)
          Terminal.say(
            "\(counted(result.assigned, "case")) assigned, "
              + "\(counted(result.refused.count, "row")) refused.")
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
    var assigned = 0
    var refused: [RefusedRow] = []
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

  init(_ table: CSVFile) { self.table = table }

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
        sent.append(Row(source: source, request: Self.request(source, receiver)))
      } else {
        result.refused.append(
          RefusedRow(source, columns: table.columns, found: [Self.unknownUnion], error: nil))
      }
    }
    let call = try await client.members.dispatchPoolCases(options: client.options)
    try await RowStream.exchange(sent.map(\.request), on: call) { index, response in
      if case .error(let error) = response.result {
        result.refused.append(
          RefusedRow(sent[index].source, columns: table.columns, found: [], error: error))
      } else {
        result.assigned += 1
      }
    }
    result.refused.sort { $0.number < $1.number }
    return result
  }

  private static func request(
    _ row: CSVFile.Row, _ receiver: String
  ) -> DispatchPoolCasesRequest {
    var request = DispatchPoolCasesRequest()
    // A case may be returned and assigned to the same union again: each run is a new act.
    request.requestID = UUID().uuidString
    request.row = Int64(row.number)
    let name = row.values["pool_case"] ?? ""
    request.name = name.contains("/") ? name : "\(PoolCase.collection)/\(name)"
    request.receiver = receiver
    return request
  }

  private static var unknownUnion: RefusedRow.Problem {
    RefusedRow.Problem(
      column: "receiver", reason: "ORGANIZATION_NOT_FOUND",
      text: Terminal.text(
        LocalizedText(zh: "没有这个外部编号的组织。", en: "No organization has this external id.")))
  }
}
