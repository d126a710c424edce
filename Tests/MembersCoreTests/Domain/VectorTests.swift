import Foundation
import ServiceKit
import Testing

@testable import MembersCore

/// The vectors were made by `scripts/make-vectors.py`, with python-stdnum as the judge of check
/// characters.
@Suite("Vectors of another maker's judgement")
struct VectorTests {
  private static let rows: [(kind: String, input: String, verdict: String)] = {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let file = tests.appending(path: "Fixtures/identity-vectors.tsv")
    let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map { line in
      let cells = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      return (cells[0], cells[1], cells[2])
    }
  }()

  private static let today = ChinaDate(daysSinceEpoch: 20_778)

  private func verdict(_ parse: () throws(FieldFailure) -> String) -> String {
    do {
      return try parse()
    } catch {
      return error.reason
    }
  }

  @Test("identity numbers are judged as the standard has it")
  func residentIDs() {
    let rows = Self.rows.filter { $0.kind == "id" }
    #expect(rows.count > 400)
    for row in rows {
      let found = verdict { () throws(FieldFailure) in
        try ResidentID(checking: row.input, field: "id", on: Self.today).text
      }
      #expect(found == row.verdict, "\(row.input)")
    }
  }

  @Test("credit codes are judged as the standard has it")
  func creditCodes() {
    let rows = Self.rows.filter { $0.kind == "credit_code" }
    #expect(rows.count > 300)
    for row in rows {
      let found = verdict { () throws(FieldFailure) in
        try CreditCode(checking: row.input, field: "code").text
      }
      #expect(found == row.verdict, "\(row.input)")
    }
  }
}
