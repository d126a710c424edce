import Foundation
import MembersV1
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Lists of what waits")
struct ListPlanTests {
  @Test("both plans give the same rows in the same order, and few waiting rows are gathered")
  func plans() async throws {
    var configuration = MembersConfiguration()
    configuration.regions = [
      RegionSetting(regionCode: "340600", rules: .poolFirst, approveFirst: true)
    ]
    try await Harness.run(configuration) { harness in
      let names = try await harness.plantTree()
      for number in 1...6 {
        _ = try await harness.submit(
          Applicant.application(number) {
            if number % 2 == 0 { $0.areas?.work = "340604" }
          }, as: .administrator)
      }
      let waiting = [EnrollmentState.held, .pending]
      #expect(try await harness.database.read(EnrollmentStore.plan(waiting)) == .rows)
      #expect(try await harness.database.read(EnrollmentStore.plan([.admitted])) == .organizations)
      let path = try await harness.database.read(
        OrganizationStore.byID(String((names["huaibei"] ?? "").suffix(32))))?.path
      let range = PathRange(subtreeOf: path ?? "")
      let queue = { (plan: ListPlan, states: [EnrollmentState]) in
        try await harness.database.read(
          EnrollmentStore.queue(of: range, after: "", states: states, by: plan, limit: 4)
        ).map(\.enrollment.id)
      }
      #expect(try await queue(.rows, waiting).count == 4)
      #expect(try await queue(.rows, waiting) == (try await queue(.organizations, waiting)))
      #expect(try await queue(.rows, [.held]).isEmpty)
      #expect(ListPlan(rows: ListPlan.gatheredMax) == .rows)
      #expect(ListPlan(rows: ListPlan.gatheredMax + 1) == .organizations)
      // Transfers, of two members who were approved.
      let approved = try await queue(.rows, waiting).prefix(2)
      var members: [String] = []
      for id in approved {
        var request = ApproveEnrollmentRequest()
        (request.requestID, request.name) = (UUID().uuidString, "enrollments/\(id)")
        members.append(
          try await harness.client(.administrator).approveEnrollment(request).enrollment?.member
            ?? "")
      }
      for member in members {
        _ = try await harness.ask(names["quegou"] ?? "", as: .member(member))
      }
      let transfers = { (plan: ListPlan) in
        try await harness.database.read(
          TransferStore.page(
            of: .receivers(range, by: plan), states: [.requested],
            after: (.integer(0), .text("")), limit: 5)
        ).map(\.transfer.id)
      }
      #expect(try await transfers(.rows).count == 2)
      #expect(try await transfers(.rows) == (try await transfers(.organizations)))
    }
  }
}
