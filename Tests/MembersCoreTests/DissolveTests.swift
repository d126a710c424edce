import Foundation
import GoogleType
import MembersV1
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Dissolving an organization")
struct DissolveTests {
  @Test("live members prevent a dissolution, or are pooled in the same commit")
  func pooling() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let quegou = names["quegou"] ?? ""
      _ = try await harness.enroll((1...300).map { Applicant.application($0) })
      let retained = try await harness.members()[0]
      _ = try await harness.retain(retained.name, as: .administrator)
      #expect(
        try await refusal { try await harness.dissolve(quegou) } == "ORGANIZATION_HAS_CHILDREN")
      try await harness.dissolve(names["quegou-east"] ?? "")
      #expect(
        try await refusal { try await harness.dissolve(quegou) } == "ORGANIZATION_HAS_MEMBERS")

      let requestID = UUID().uuidString
      let response = try await harness.dissolve(quegou, poolsMembers: true, requestID: requestID)
      #expect(response.organization?.state == .dissolved)
      #expect(response.organization?.closedDate?.year == 2_026)
      #expect(response.pooledMembers == 300)
      #expect(response.pool == names["xiangshan-pool"])
      let again = try await harness.dissolve(quegou, poolsMembers: true, requestID: requestID)
      #expect(again == response)

      let members = try await harness.members()
      #expect(members.count == 300)
      #expect(members.allSatisfy { $0.managingOrganization == names["xiangshan-pool"] })
      #expect(members.allSatisfy { $0.organization == quegou }, "where they joined")
      #expect(members.filter { $0.state == .pooled }.count == 299)
      #expect(members.filter { $0.state == .retained }.map(\.name) == [retained.name])
      #expect(members.allSatisfy { $0.joinDate != nil })
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: { _, _, _ in }) == [])
      #expect(try await harness.wrongs() == [])
      let events = try await harness.events(as: .service("stations"))
        .filter { $0.entity.hasPrefix("members/") && $0.entityVersion > 1 }
      #expect(Set(events.map(\.entity)).count == 300)
      let logged = try await harness.database.read(
        Query<Int>.one("SELECT count(*) AS n FROM membership_log WHERE action = 'POOLED'") {
          try $0.int("n")
        })
      #expect(logged == 299)

      #expect(
        try await refusal { try await harness.dissolve(quegou) } == "ORGANIZATION_DISSOLVED")
      #expect(try await refusal { try await harness.resume(quegou) } == "ORGANIZATION_DISSOLVED")
      let late = try await harness.submit(Applicant.application(400), as: .administrator)
      #expect(late.organization == names["xiangshan-pool"])
    }
  }

  @Test("waiting applications prevent a dissolution, and are counted")
  func applications() async throws {
    try await Harness.run(ReviewTests.configuration) { harness in
      let names = try await harness.plantTree()
      let pool = names["xiangshan-pool"] ?? ""
      let waiting = try await harness.submit(Applicant.application(1), as: .administrator)
      #expect(waiting.organization == pool)
      #expect(
        try await refusal { try await harness.dissolve(pool) } == "ORGANIZATION_HAS_APPLICATIONS")
      _ = try await harness.refuse(waiting, as: .administrator)
      #expect(try await harness.dissolve(pool).organization?.state == .dissolved)
    }
  }

  @Test("without a pool of the county or city nothing is dissolved and nobody moves")
  func withoutPool() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree(Tree.rows.filter { $0.kind != .holdingPool })
      _ = try await harness.enroll((1...3).map { Applicant.application($0) })
      try await harness.dissolve(names["quegou-east"] ?? "")
      #expect(
        try await refusal { try await harness.dissolve(names["quegou"] ?? "", poolsMembers: true) }
          == "NO_RECEIVER")
      #expect(try await harness.organization(names["quegou"] ?? "").state == .active)
      #expect(try await harness.members().allSatisfy { $0.state == .active })
      #expect(try await harness.wrongs() == [])
    }
  }

  @Test("concurrent enrollments leave nobody in the dissolved organization")
  func besideEnrollments() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      for round in 0..<4 {
        let union = try await harness.found(below: names["xiangshan"] ?? "")
        try await harness.approveUnion(union.name)
        var issue = IssueOrganizationCodeRequest()
        issue.requestID = UUID().uuidString
        issue.organization = union.name
        let code = try await harness.client(.administrator).issueOrganizationCode(issue).code
        let outcomes = try await withThrowingTaskGroup(of: String.self) { group in
          for index in 0..<40 {
            let application = Applicant.application(round * 100 + index) {
              $0.organizationCode = code?.text ?? ""
            }
            group.addTask {
              do {
                _ = try await harness.submit(application, as: .administrator)
                return "enrolled"
              } catch {
                return try await refusal { throw error }
              }
            }
            if index == 10 * round {
              group.addTask {
                try await harness.dissolve(union.name, poolsMembers: true)
                return "dissolved"
              }
            }
          }
          return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(outcomes.contains("dissolved"))
        #expect(
          outcomes.subtracting(["enrolled", "dissolved", "ORGANIZATION_NOT_ACTIVE"]) == [])
        #expect(try await harness.wrongs() == [])
        #expect(try await harness.countsAgree())
      }
    }
  }
}
