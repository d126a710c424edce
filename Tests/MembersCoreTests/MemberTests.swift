import Crypto
import Foundation
import GoogleType
import MembersV1
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Members are found, masked, and shown in full only on the record")
struct MemberTests {
  @Test("a member is returned masked, within the caller's subtree only")
  func masked() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let enrollment = try await harness.submit(Applicant.application(1), as: .administrator)
      var request = GetMemberRequest()
      request.name = enrollment.member
      let near = try harness.client(.staff(names["xiangshan"] ?? "", role: .viewer))
      let member = try await near.getMember(request).member
      let id = Applicant.residentID(1)
      #expect(member?.residentIDMasked == id.prefix(6) + "********" + id.suffix(4))
      #expect(member?.phoneMasked == "138****0001")
      #expect(member?.personNameMasked == "张**")
      #expect(member?.state == .active)
      #expect(member?.channel == .bulkImport)
      #expect(member?.organization == names["quegou"])
      #expect(member?.joinDate?.year == 2026)
      #expect(member?.joinDate?.month == 11)
      #expect(member?.joinDate?.day == 21)
      #expect(MemberNumber(member?.memberNumber ?? "") != nil)
      let far = try harness.client(.staff(names["lieshan"] ?? ""))
      #expect(try await refusal { try await far.getMember(request) } == "MEMBER_NOT_FOUND")
      let nobody = try harness.client(.staff("organizations/\(hexID(5))"))
      #expect(try await refusal { try await nobody.getMember(request) } == "MEMBER_NOT_FOUND")
      request.name = "members/1"
      #expect(
        try await refusal { try await near.getMember(request) }
          == "INVALID_FIELDS name=INVALID_NAME")
    }
  }

  @Test("lists are in order of member number, paged, by subtree, group and state")
  func listed() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll(
        (1...60).map { number in
          Applicant.application(number) {
            if number % 3 == 0 { $0.group = .truckDriver }
            if number % 5 == 0 { $0.areas?.work = "340604" }
          }
        })
      let client = try harness.client(.administrator)
      var request = ListMembersRequest()
      request.pageSize = 7
      var seen: [Member] = []
      repeat {
        let page = try await client.listMembers(request)
        seen += page.members
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty
      #expect(seen.count == 60)
      #expect(seen.map(\.memberNumber) == seen.map(\.memberNumber).sorted())
      #expect(Set(seen.map(\.name)).count == 60)

      let all = try await harness.members()
      request = ListMembersRequest()
      request.pageSize = 1_000
      request.ancestor = names["xiangshan"] ?? ""
      request.groups = [.truckDriver]
      let drivers = try await client.listMembers(request).members
      #expect(drivers == all.filter { $0.managingOrganization == names["drivers"] })
      #expect(drivers.count == 16)
      request.groups = []
      request.states = [.pooled]
      #expect(try await client.listMembers(request).members.isEmpty)
      request.ancestor = names["huaibei"] ?? ""
      #expect(try await client.listMembers(request).members.count == 12)
      request.ancestor = names["lieshan"] ?? ""
      let near = try harness.client(.staff(names["xiangshan"] ?? ""))
      #expect(try await refusal { try await near.listMembers(request) } == "OUT_OF_SCOPE")
      request.ancestor = ""
      request.pageToken = "forged"
      #expect(try await refusal { try await near.listMembers(request) } == "INVALID_PAGE_TOKEN")
    }
  }

  @Test("all query plans for a subtree return the same page")
  func plans() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll((1...40).map { Applicant.application($0) })
      let id = String((names["xiangshan"] ?? "").suffix(32))
      let path = try await harness.database.read(OrganizationStore.byID(id))?.path
      let range = PathRange(subtreeOf: path ?? "")
      func page(
        _ plan: MemberPlan, _ states: [MembershipState], after number: String = ""
      ) async throws -> [KnownMember] {
        try await harness.database.read(
          MemberStore.page(
            of: range, states: states, groups: [.courier], by: plan, after: .text(number),
            limit: 10))
      }
      let live = try await page(.numbers, MembershipState.live, after: "4")
      #expect(live.count == 10)
      #expect(try await page(.organizations, MembershipState.live, after: "4") == live)
      for member in try await harness.members().prefix(5) {
        try await harness.end(member.name, as: .expelled)
      }
      for member in try await harness.members().prefix(8) {
        try await harness.end(member.name, as: .left)
      }
      for (states, count) in [([MembershipState.expelled], 5), ([.left, .expelled], 10)] {
        let ended = try await page(.numbers, states)
        #expect(ended.count == count)
        for plan in MemberPlan.allCases { #expect(try await page(plan, states) == ended) }
      }
      let (both, after) = ([MembershipState.left, .expelled], live[4].member.number)
      let rest = try await page(.numbers, both, after: after)
      for plan in MemberPlan.allCases {
        #expect(try await page(plan, both, after: after) == rest)
      }
      var request = ListMembersRequest()
      request.states = [.expelled]
      let client = try harness.client(.administrator)
      #expect(try await client.listMembers(request).members.count == 5)
    }
  }

  @Test("the few members in a state are read by their state, or by organization and state")
  func rare() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      func plan(
        _ states: [MembershipState], passed: Int = 10_000_000, here: [MembershipState: Int64],
        everywhere: [MembershipState: Int64]
      ) async throws -> MemberPlan {
        try await harness.service.plan(
          states, in: PathRange(subtreeOf: ""), passed: passed, here: here, everywhere: everywhere)
      }
      // The tree has eleven organizations.
      let all: [MembershipState: Int64] = [.active: 10_000_000, .left: 2_000_000, .expelled: 5]
      #expect(try await plan([.expelled], here: all, everywhere: all) == .states)
      let county: [MembershipState: Int64] = [.active: 900_000, .left: 3]
      #expect(try await plan([.left], here: county, everywhere: all) == .organizations)
      #expect(try await plan([.left], passed: 255, here: all, everywhere: all) == .numbers)
      #expect(try await plan([.active], passed: 51, here: all, everywhere: all) == .numbers)
      #expect(try await plan([.active, .expelled], here: all, everywhere: all) == .numbers)
      #expect(try await plan([.active], here: county, everywhere: all) == .organizations)
    }
  }

  @Test("a page is read in the order of numbers if it is full sooner than the subtree is read")
  func passed() {
    // A page of 50 of a county of 20,000 in ten million; of the 5 who were expelled there; of all.
    #expect(MembersService.passed(upTo: 51, of: 20_000, among: 10_000_000) == 25_500)
    #expect(MembersService.passed(upTo: 51, of: 5, among: 10_000_000) == 10_000_000)
    #expect(MembersService.passed(upTo: 51, of: 10_000_000, among: 10_000_000) == 51)
  }

  @Test("a member is found by resident ID, in the caller's subtree only")
  func found() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let enrollment = try await harness.submit(Applicant.application(1), as: .administrator)
      var request = ListMembersRequest()
      request.residentID = " " + Applicant.residentID(1).lowercased()
      let near = try harness.client(.staff(names["xiangshan"] ?? ""))
      #expect(try await near.listMembers(request).members.map(\.name) == [enrollment.member])
      let far = try harness.client(.staff(names["lieshan"] ?? ""))
      #expect(try await far.listMembers(request).members.isEmpty)
      request.residentID = Applicant.residentID(2)
      #expect(try await near.listMembers(request).members.isEmpty)
      request.residentID = "340603"
      #expect(
        try await refusal { try await near.listMembers(request) }
          == "INVALID_FIELDS resident_id=INVALID_ID")
    }
  }

  @Test("a reveal is audited before the data are returned, and a replay returns the same")
  func revealed() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let enrollment = try await harness.submit(Applicant.application(1), as: .administrator)
      let administrator = Caller.staff(names["xiangshan"] ?? "", id: 8)
      let client = try harness.client(administrator)
      var request = RevealMemberRequest()
      request.requestID = UUID().uuidString
      request.name = enrollment.member
      request.reason = "核对身份"
      let revealed = try await client.revealMember(request)
      #expect(revealed.residentID == Applicant.residentID(1))
      #expect(revealed.phone == "+8613800000001")
      #expect(revealed.personName == Applicant.application(1).personName)
      let entries = try await harness.audit(action: "members.reveal")
      #expect(entries == ["\(administrator.subject) \(enrollment.member) 核对身份"])
      #expect(try await client.revealMember(request) == revealed)
      #expect(try await harness.audit(action: "members.reveal").count == 1)
      let report = try await harness.database.verifyAudit()
      #expect(report.problem == nil)

      for (reason, failure) in [
        ("x", "TOO_SHORT"), ("    ", "REQUIRED"), ("核对\n身份", "INVALID_CHARACTER"),
      ] {
        request.reason = reason
        #expect(
          try await refusal { try await client.revealMember(request) }
            == "INVALID_FIELDS reason=\(failure)")
      }
      request.reason = "another reason"
      #expect(
        try await refusal { try await client.revealMember(request) } == "REQUEST_ID_REUSED")
      request.requestID = UUID().uuidString
      let far = try harness.client(.staff(names["lieshan"] ?? ""))
      #expect(try await refusal { try await far.revealMember(request) } == "MEMBER_NOT_FOUND")
    }
  }

  @Test("a member's own code is resolved for services, by its SHA-256 in the feed too")
  func code() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let enrollment = try await harness.submit(Applicant.application(1), as: .administrator)
      _ = try await harness.submit(Applicant.application(2), as: .administrator)
      var request = GetMemberCodeRequest()
      request.name = enrollment.member
      let code = try await harness.client(.administrator).getMemberCode(request).code
      #expect(code.utf8.count == 30)
      var resolve = ResolveMemberCodesRequest()
      resolve.codes = [code, "YJM-00000000000000000000000000", "nonsense"]
      let stations = try harness.client(.service("stations"))
      let resolved = try await stations.resolveMemberCodes(resolve).members
      #expect(resolved.map(\.code) == [code])
      #expect(resolved.map(\.member) == [enrollment.member])
      #expect(resolved.map(\.group) == [.courier])
      let digest = Array(SHA256.hash(data: Array(code.utf8)))
      let events = try await harness.events(as: .service("stations"))
      #expect(
        events.contains { event in
          if case .membershipChanged(let changed)? = event.event {
            changed.codeSHA256 == digest && changed.member == enrollment.member
          } else {
            false
          }
        })
      resolve.codes = Array(repeating: code, count: 1_001)
      #expect(
        try await refusal { try await stations.resolveMemberCodes(resolve) }
          == "INVALID_FIELDS codes=TOO_MANY")
    }
  }
}

extension Harness {
  /// The audit entries of an action: actor, target and reason.
  func audit(action: String) async throws -> [String] {
    try await database.read(
      Query<[String]>.all(
        "SELECT actor, target, reason FROM storage_audit WHERE action = ?1", [action]
      ) { row in "\(try row.text("actor")) \(try row.text("target")) \(try row.text("reason"))" })
  }
}
