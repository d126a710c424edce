import MembersV1
import Protobuf
import ServiceKit
import Storage
import TestStores
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("What lists and counts are asked for is bounded")
struct ListFilterTests {
  @Test("a filter accepts each known value once, and refuses every other by its position")
  func filters() async throws {
    try await Harness.run(on: [.sqlite]) { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll([Applicant.application(1)])
      let client = try harness.client(.administrator)
      var many = ListMembersRequest()
      many.states = Array(repeating: .active, count: 100_000)
      many.groups = Array(repeating: .courier, count: 100_000)
      #expect(try await client.listMembers(many).members.count == 1)
      let list = try await harness.makeList(as: .staff(names["xiangshan"] ?? ""))
      for (index, (field, call)) in Self.wrong(list: list).enumerated() {
        #expect(
          try await refusal { try await call(client) }
            == "INVALID_FIELDS \(field)[1]=INVALID_VALUE", "call \(index)")
      }
    }
  }

  private typealias Call = (MembersServiceClient) async throws -> Void

  /// Returns a list call for each filter, with an unknown second value and the field's name.
  private static func wrong(list: String) -> [(field: String, call: Call)] {
    [
      (
        "states",
        { _ = try await $0.listMembers(.with { $0.states = [.active, .unrecognized(99)] }) }
      ),
      ("groups", { _ = try await $0.listMembers(.with { $0.groups = [.courier, .unspecified] }) }),
      (
        "states",
        { _ = try await $0.listEnrollments(.with { $0.states = [.held, .unrecognized(-1)] }) }
      ),
      (
        "kinds",
        { _ = try await $0.listOrganizations(.with { $0.kinds = [.branch, .unrecognized(99)] }) }
      ),
      (
        "states",
        { _ = try await $0.listPoolCases(.with { $0.states = [.waiting, .unrecognized(99)] }) }
      ),
      (
        "states",
        { _ = try await $0.listTransfers(.with { $0.states = [.requested, .unrecognized(99)] }) }
      ),
      (
        "states",
        { _ = try await $0.listDuplicates(.with { $0.states = [.open, .unrecognized(99)] }) }
      ),
      (
        "states",
        { _ = try await $0.listUnits(.with { $0.states = [.triggered, .unrecognized(99)] }) }
      ),
      (
        "states",
        { _ = try await $0.listAwayReports(.with { $0.states = [.filed, .unrecognized(99)] }) }
      ),
      (
        "states",
        { _ = try await $0.listCorrections(.with { $0.states = [.requested, .unrecognized(99)] }) }
      ),
      (
        "states",
        {
          _ = try await $0.listOutreachEntries(
            .with { ($0.list, $0.states) = (list, [.open, .unrecognized(99)]) })
        }
      ),
    ]
  }

  @Test("counts by campaign have a row limit, and the refusal says what to do")
  func campaigns() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      var commit = Commit(at: harness.clock.now)
      commit.insert(
        into: "subtree_enrollments",
        ["organization_id", "day", "occupation_group", "channel", "campaign", "own", "members"],
        (0...MembersService.statisticsRowsMax).map { ["", 20_778, 2, 3, "c\($0)", 1, 1] })
      try await harness.database.write(commit)
      var request = GetEnrollmentStatisticsRequest()
      let client = try harness.client(.administrator)
      request.dimensions = [.campaign]
      #expect(
        try await refusal { try await client.getEnrollmentStatistics(request) } == "TOO_MANY_ROWS")
      request.dimensions = [.group]
      let counts = try await client.getEnrollmentStatistics(request).counts
      #expect(counts.map(\.members) == [Int64(MembersService.statisticsRowsMax) + 1])
    }
  }
}
