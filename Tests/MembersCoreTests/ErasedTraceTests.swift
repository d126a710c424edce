import Foundation
import MembersV1
import ServiceKit
import Storage
import TestStores
import Testing

@testable import MembersCore

@Suite("What is left of an erased person", .timeLimit(.minutes(5)))
struct ErasedTraceTests {
  @Test(
    "is in no column of any table, also of who applied with a proven phone",
    arguments: [false, true])
  func applicant(isOlderStore: Bool) async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let pool = names["xiangshan-pool"] ?? ""
      let code = try await harness.code(of: pool, acceptsTransfers: false).text
      let own = Applicant.application(1) { $0.organizationCode = code }
      let subject = harness.keys.applicantSubjects(phone: "+86" + Applicant.phone(1))[0]
      let worker = Caller.member(subject)
      let sent = try await harness.submit(own, as: worker)
      var withdraw = WithdrawEnrollmentRequest()
      (withdraw.requestID, withdraw.name) = (UUID().uuidString, sent.name)
      _ = try await harness.client(worker).withdrawEnrollment(withdraw)
      let member = try #require(try await harness.members().first).name
      let traces = try await harness.traces(of: own)
      if isOlderStore {
        // As stored before applications stood for applicants in the logs.
        var commit = Commit(at: harness.clock.now)
        for log in ["membership_log", "pool_case_log"] {
          commit.run("UPDATE \(log) SET actor = ?1", [subject], expects: .exactly(1))
        }
        try await harness.database.write(commit)
      }
      let logs = ["membership_log.actor", "pool_case_log.actor"]
      let before = try await harness.places(of: traces)
      for place in ["enrollments.caller", "persons.wrapped_key", "person_hashes.hash"] {
        #expect(before.contains(place))
      }
      #expect(Set(logs).isSubset(of: before) == isOlderStore)
      #expect(!before.contains("storage_audit.actor"))
      _ = try await harness.erase("", as: .member(member))
      #expect(try await harness.places(of: traces) == [])
      #expect(try await harness.database.verifyAudit().problem == nil)
      let callers = try await harness.database.read(
        Query<[String]>.all("SELECT caller FROM enrollments") { try $0.text("caller") })
      #expect(callers == [sent.name])
    }
  }
}

extension Harness {
  /// Returns what leads to a stored person: data in clear, every hash, the applicant's subject and
  /// the wrapped key.
  func traces(of application: EnrollmentApplication) async throws -> [[UInt8]] {
    let data = PersonalData(
      name: application.personName, residentID: application.residentID,
      phone: "+86" + application.phone)
    let hashes = try keys.hashes(of: data)
    let id = try await database.read(PersonStore.holders(of: hashes.residentID)).first ?? ""
    let person = try #require(try await database.read(PersonStore.byID(id))).person
    let texts =
      [data.name, data.residentID, application.phone]
      + keys.applicantSubjects(phone: data.phone).map { String($0.dropFirst("members/".count)) }
    return (hashes.residentID + hashes.phone + hashes.birth).map(\.digest)
      + texts.map { Array($0.utf8) } + [person.wrappedKey ?? [], person.phone]
  }

  /// Returns every column of the store, as `table.column`, that contains any of some bytes, also in
  /// hexadecimal.
  func places(of traces: [[UInt8]]) async throws -> Set<String> {
    let tables = try await database.read(
      Query<[String]>.all(
        database.dialect == .postgres
          ? "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()"
          : "SELECT name FROM sqlite_master WHERE type = 'table'"
      ) { try $0.text("name") })
    let sought = (traces + traces.map { Array(hexadecimal($0).utf8) }).map { Data($0) }
    #expect(sought.allSatisfy { $0.count >= 6 } && tables.count > 40)
    var found: Set<String> = []
    for table in tables {
      for row in try await database.read(Query<[Row]>("SELECT * FROM \(table)") { $0 }) {
        for (column, value) in zip(row.columns, row.values) {
          let bytes: Data
          switch value {
          case .text(let text): bytes = Data(text.utf8)
          case .blob(let blob): bytes = Data(blob)
          case .integer, .real, .null: continue
          }
          guard sought.contains(where: { bytes.range(of: $0) != nil }) else { continue }
          // A partition's rows are those of its table.
          let parent = table.replacing(/_[0-9]+$/, with: "")
          found.insert("\(parent).\(column)")
        }
      }
    }
    return found
  }

  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
