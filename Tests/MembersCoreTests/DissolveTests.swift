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

  @Test("an application that begins to wait during a dissolution is refused, or prevents it")
  func applicationsBeside() async throws {
    try await Harness.run(ReviewTests.configuration) { harness in
      let names = try await harness.plantTree()
      let pool = names["xiangshan-pool"] ?? ""
      let applying = Applicant.application(1) { $0.employerName = "顺达" }
      // The dissolution comes between the application's decision and its commit.
      let late = harness.replica(
        RacingDatabase(harness.database) { try await harness.dissolve(pool) })
      let elsewhere = try await late.submit(applying, as: .administrator)
      #expect(elsewhere.organization != pool)
      #expect(try await harness.waitingAtDissolved() == 0)
      var first = ""
      // And the other way round, for one that is pending and for one that is held.
      for number in 2...3 {
        let next = try await harness.found(below: names["xiangshan"] ?? "") {
          $0.kind = .holdingPool
        }.name
        try await harness.approveUnion(next)
        let code = try await harness.code(of: next, acceptsTransfers: false).text
        if number == 3 {
          _ = try await harness.submit(
            Applicant.application(number) { $0.organizationCode = first }, as: .administrator)
        }
        first = code
        let racing = harness.replica(
          RacingDatabase(harness.database) {
            let application = Applicant.application(number) { $0.organizationCode = code }
            _ = try await harness.submit(application, as: .administrator)
          })
        #expect(
          try await refusal { try await racing.dissolve(next) } == "ORGANIZATION_HAS_APPLICATIONS")
      }
      #expect(try await harness.waitingAtDissolved() == 0)
    }
  }

  @Test("the open cases of a dissolved pool move with a version, a log entry and an event")
  func poolCases() async throws {
    try await Harness.run(ReviewTests.pooling) { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll((1...3).map { Applicant.application($0) })
      let before = try await harness.poolCases(as: .administrator)
      #expect(before.count == 3)
      #expect(before.allSatisfy { $0.pool == names["xiangshan-pool"] })
      try await harness.dissolve(names["xiangshan-pool"] ?? "", poolsMembers: true)
      let after = try await harness.poolCases(as: .administrator)
      #expect(after.allSatisfy { $0.pool == names["huaibei-pool"] })
      #expect(Set(after.map(\.name)) == Set(before.map(\.name)))
      #expect(zip(before, after).allSatisfy { $0.etag != $1.etag && $0.dueDate == $1.dueDate })
      let logged = try await harness.database.read(
        Query<Int>.one("SELECT count(*) AS n FROM pool_case_log WHERE action = 'MOVED'") {
          try $0.int("n")
        })
      #expect(logged == 3)
      let events = try await harness.events("poolCase.changed")
      #expect(events.filter { $0.version == 2 }.count == 3)
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

extension Harness {
  /// The number of undecided applications of dissolved organizations.
  fileprivate func waitingAtDissolved() async throws -> Int {
    try await database.read(
      Query<Int>.one(
        """
        SELECT count(*) AS n FROM enrollments AS e
        JOIN organizations AS o ON o.id = e.organization_id
        WHERE o.state = \(OrganizationState.dissolved.rawValue)
          AND e.state IN (\(EnrollmentState.held.rawValue), \(EnrollmentState.pending.rawValue))
        """
      ) { try $0.int("n") })
  }
}
