import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("What waits is decided by people, once")
struct ReviewTests {
  /// A configuration in which Xiangshan pools first and approves first.
  static let configuration: MembersConfiguration = {
    var configuration = MembersConfiguration()
    configuration.regions = [
      RegionSetting(regionCode: "340603", rules: .poolFirst, approveFirst: true)
    ]
    return configuration
  }()

  /// A configuration in which Xiangshan pools first.
  static let pooling: MembersConfiguration = {
    var configuration = MembersConfiguration()
    configuration.regions = [RegionSetting(regionCode: "340603", rules: .poolFirst)]
    return configuration
  }()

  @Test("staff in scope see whom an application concerns, masked; others do not")
  func masked() async throws {
    try await Harness.run(Self.configuration) { harness in
      let names = try await harness.plantTree()
      let clerk = Caller.staff(names["xiangshan"] ?? "", role: .clerk, id: 2)
      _ = try await harness.submit(Applicant.application(1))
      let second = try await harness.submit(
        Applicant.application(1) { $0.phone = Applicant.phone(9) })
      let queue = try await harness.enrollments(as: clerk)
      #expect(queue.map(\.state) == [.held, .pending])
      #expect(queue.map(\.phoneMasked) == ["138****0009", "138****0001"])
      #expect(Set(queue.map(\.personNameMasked)).count == 1)
      #expect(queue[0].personNameMasked.hasPrefix("张*"))
      let id = Applicant.residentID(1)
      #expect(queue[0].residentIDMasked == "340603********" + id.suffix(4))
      #expect(queue.map(\.otherEnrollment) == [queue[1].name, ""])
      var get = GetEnrollmentRequest()
      get.name = second.name
      #expect(try await harness.client(clerk).getEnrollment(get).enrollment == queue[0])
      let partner = try await harness.client(.partner()).getEnrollment(get).enrollment
      #expect(partner == second)
      #expect(partner?.phoneMasked == "" && partner?.otherEnrollment == "")
      let elsewhere = Caller.staff(names["lieshan"] ?? "", role: .clerk, id: 3)
      #expect(
        try await refusal { try await harness.client(elsewhere).getEnrollment(get) }
          == "ENROLLMENT_NOT_FOUND")
    }
  }

  @Test("approving one of a person's applications settles the others", arguments: [0, 1])
  func settled(_ approved: Int) async throws {
    try await Harness.run(Self.configuration) { harness in
      let names = try await harness.plantTree()
      let clerk = Caller.staff(names["xiangshan"] ?? "", role: .clerk, id: 2)
      for _ in 1...3 { _ = try await harness.submit(Applicant.application(1)) }
      let queue = try await harness.enrollments(as: clerk)
      #expect(queue.map(\.state) == [.held, .held, .pending])
      _ = try await harness.approve(queue[approved == 0 ? 0 : 2], as: clerk)
      #expect(try await harness.enrollments(as: clerk).isEmpty)
      #expect(try await harness.members().count == 1)
      var list = ListEnrollmentsRequest()
      list.states = [.refused]
      let refused = try await harness.client(clerk).listEnrollments(list).enrollments
      #expect(refused.map(\.refusal) == ["DUPLICATE", "DUPLICATE"])
      #expect(
        try await harness.database.read(
          Query<Int>.one("SELECT count(*) AS n FROM open_enrollments") { try $0.int("n") }) == 0)
      #expect(try await harness.countsAgree())
    }
  }

  @Test("an approved person is a member of the pool; a second decision is refused")
  func approved() async throws {
    try await Harness.run(Self.configuration) { harness in
      let names = try await harness.plantTree()
      let clerk = Caller.staff(names["xiangshan"] ?? "", role: .clerk, id: 2)
      let pending = try await harness.submit(Applicant.application(1), as: .administrator)
      #expect(pending.consentVersion == "2026-01")
      let id = UUID().uuidString
      let approved = try await harness.approve(pending, as: clerk, requestID: id)
      #expect(approved.state == .admitted)
      let members = try await harness.members()
      #expect(members.map(\.name) == [approved.member])
      #expect(members.map(\.state) == [.pooled])
      #expect(members.map(\.managingOrganization) == [names["xiangshan-pool"]])
      #expect(try await harness.poolCases(as: clerk).map(\.member) == [approved.member])
      #expect(try await harness.countsAgree())
      let again = try await harness.approve(pending, as: clerk, requestID: id)
      #expect(try again.wireBytes() == approved.wireBytes(), "a retry")
      #expect(
        try await refusal { try await harness.approve(pending, as: clerk) }
          == "ENROLLMENT_NOT_WAITING")
      #expect(
        try await refusal { try await harness.refuse(pending, as: clerk) }
          == "ENROLLMENT_NOT_WAITING")
    }
  }

  @Test("16 clerks concurrently approve two applications of one person: one membership")
  func concurrentApprovals() async throws {
    try await Harness.run(Self.configuration) { harness in
      _ = try await harness.plantTree()
      let first = try await harness.submit(Applicant.application(1), as: .administrator)
      let second = try await harness.submit(Applicant.application(1), as: .administrator)
      #expect(second.state == .held)
      let approvals = await withTaskGroup(of: Bool.self) { group in
        for index in 0..<16 {
          group.addTask {
            let clerk = Caller.staff("", id: index + 10)
            return (try? await harness.approve(index % 2 == 0 ? first : second, as: clerk)) != nil
          }
        }
        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(approvals == 1, "whichever is approved first settles the other")
      let decided = try await harness.queue([.admitted, .refused])
      #expect(Set(decided.map(\.state)) == [.admitted, .refused])
      #expect(Set(decided.map(\.refusal)) == ["", "DUPLICATE"])
      #expect(Set(decided.map(\.name)) == [first.name, second.name])
      #expect(try await harness.members().count == 1)
      #expect(try await harness.countsAgree())
      let open = try await harness.database.read(
        Query<Int>.one("SELECT count(*) AS n FROM open_enrollments") { try $0.int("n") })
      #expect(open == 0)
    }
  }

  @Test("a refused person may apply again, and only the receiver's clerks decide")
  func refused() async throws {
    try await Harness.run(Self.configuration) { harness in
      let names = try await harness.plantTree()
      let pending = try await harness.submit(Applicant.application(1), as: .administrator)
      let far = Caller.staff(names["lieshan"] ?? "", role: .clerk, id: 3)
      #expect(
        try await refusal { try await harness.refuse(pending, as: far) }
          == "ENROLLMENT_NOT_FOUND")
      #expect(
        try await refusal {
          try await harness.refuse(pending, as: .administrator, etag: "v7")
        } == "ETAG_MISMATCH")
      let wrong = try await refusal {
        try await harness.refuse(pending, as: .administrator, reason: .other)
      }
      #expect(wrong == "INVALID_FIELDS note=REQUIRED")
      let refused = try await harness.refuse(pending, as: .administrator, etag: pending.etag)
      #expect(refused.state == .refused)
      #expect(refused.refusal == "NOT_CONSENTED")
      #expect(refused.etag != pending.etag)
      #expect(try await harness.members().isEmpty)
      #expect(
        try await harness.submit(Applicant.application(1), as: .administrator).state == .pending)
    }
  }

  @Test("a partner withdraws its own applications, and learns nothing by it")
  func withdrawn() async throws {
    try await Harness.run(Self.configuration) { harness in
      _ = try await harness.plantTree()
      // One person's application waits; the other is a member already.
      let waiting = try await harness.submit(Applicant.application(1))
      _ = try await harness.approve(
        try await harness.submit(Applicant.application(2), as: .administrator),
        as: .administrator)
      let known = try await harness.submit(Applicant.application(2))
      var replies: [Enrollment] = []
      for enrollment in [waiting, known] {
        var request = WithdrawEnrollmentRequest()
        request.requestID = UUID().uuidString
        request.name = enrollment.name
        #expect(
          try await refusal { try await harness.client(.partner(2)).withdrawEnrollment(request) }
            == "ENROLLMENT_NOT_FOUND")
        var reply = try await harness.client(.partner()).withdrawEnrollment(request).enrollment
        reply?.name = ""
        replies.append(try #require(reply))
      }
      #expect(replies[0] == replies[1])
      let events = try await harness.database.feed(after: .start, audience: "partners/\(hexID(1))")
      #expect(Set(events.map(\.version)) == [1], "a decision is not the partner's to see")
      #expect(try await harness.members().count == 1)
      let states = try await harness.queue([.withdrawn, .admitted]).map(\.state)
      #expect(states.sorted { $0.rawValue < $1.rawValue } == [.admitted, .admitted, .withdrawn])
    }
  }

  @Test("the queue lists waiting applications below the caller, paged; a partner lists its own")
  func lists() async throws {
    try await Harness.run(Self.configuration) { harness in
      let names = try await harness.plantTree()
      for number in 1...7 {
        _ = try await harness.submit(Applicant.application(number), as: .partner(number % 2 + 1))
        harness.clock.advance(days: 1)
      }
      _ = try await harness.submit(Applicant.application(3), as: .administrator)
      _ = try await harness.submit(
        Applicant.application(20) { $0.areas?.work = "340604" }, as: .administrator)
      var request = ListEnrollmentsRequest()
      request.pageSize = 2
      let clerk = try harness.client(.staff(names["xiangshan"] ?? "", role: .viewer))
      var found: [Enrollment] = []
      repeat {
        let page = try await clerk.listEnrollments(request)
        found += page.enrollments
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty
      #expect(found.map(\.state) == [.held] + Array(repeating: .pending, count: 7))
      #expect(Set(found.map(\.name)).count == 8)
      #expect(try await harness.queue([.admitted]).count == 1)
      request.pageSize = 3
      let partner = try harness.client(.partner(1))
      let page = try await partner.listEnrollments(request)
      #expect(page.enrollments.count == 3)
      #expect(page.enrollments.allSatisfy { $0.state == .received && $0.organization.isEmpty })
      #expect(page.nextPageToken.isEmpty)
      request.pageToken = "nonsense"
      #expect(
        try await refusal { try await partner.listEnrollments(request) } == "INVALID_PAGE_TOKEN")
    }
  }

  @Test("a dry run reports every invalid field and the route, and stores nothing")
  func dryRun() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let call = try await harness.client(.administrator).enrollMembers()
      for (row, number) in [1, 2, 3].enumerated() {
        var request = EnrollMembersRequest()
        request.row = Int64(row)
        request.validateOnly = true
        request.application = Applicant.application(number) {
          if number == 2 { ($0.phone, $0.personName) = ("1", "X") }
          if number == 3 { $0.areas?.work = "110101" }
        }
        try await call.send(request)
      }
      try await call.finishSending()
      var results: [EnrollMembersResponse] = []
      for try await result in call.responses { results.append(result) }
      guard case .enrollment(let routed)? = results[0].result,
        case .error(let wrong)? = results[1].result, case .error(let nowhere)? = results[2].result
      else { throw Unexpected("\(results)") }
      #expect(routed.organization == names["quegou"])
      #expect(routed.state == .admitted)
      #expect(routed.name.isEmpty && routed.member.isEmpty)
      #expect(
        Set(wrong.fieldViolations.map(\.field))
          == ["application.phone", "application.person_name"])
      #expect(nowhere.reason == "NO_RECEIVER")
      let stored = try await harness.database.read(
        Query<Int>.one(
          "SELECT (SELECT count(*) FROM persons) + (SELECT count(*) FROM enrollments) AS n"
        ) { try $0.int("n") })
      #expect(stored == 0)
    }
  }
}

extension Harness {
  func approve(
    _ enrollment: Enrollment, as caller: Caller, requestID: String = UUID().uuidString
  ) async throws -> Enrollment {
    var request = ApproveEnrollmentRequest()
    request.requestID = requestID
    request.name = enrollment.name
    return try #require(try await client(caller).approveEnrollment(request).enrollment)
  }

  func refuse(
    _ enrollment: Enrollment, as caller: Caller, etag: String = "",
    reason: EnrollmentRefusal = .notConsented
  ) async throws -> Enrollment {
    var request = RefuseEnrollmentRequest()
    request.requestID = UUID().uuidString
    request.name = enrollment.name
    request.etag = etag
    request.reason = reason
    return try #require(try await client(caller).refuseEnrollment(request).enrollment)
  }

  /// Returns the enrollments of the whole tree in these states.
  func queue(_ states: [EnrollmentState]) async throws -> [Enrollment] {
    var request = ListEnrollmentsRequest()
    request.states = states
    request.pageSize = 1_000
    return try await client(.administrator).listEnrollments(request).enrollments
  }
}
