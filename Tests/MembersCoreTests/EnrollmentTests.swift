import Foundation
import MembersV1
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("An application becomes one membership")
struct EnrollmentTests {
  @Test("a partner gets RECEIVED and nothing about organization or earlier membership")
  func partnerIsToldNothing() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let enrollment = try await harness.submit(Applicant.application(1))
      #expect(enrollment.state == .received)
      #expect(enrollment.group == .courier)
      #expect(enrollment.channel == .partner)
      #expect(enrollment.member.isEmpty)
      #expect(enrollment.organization.isEmpty)
      #expect(enrollment.route == .unspecified)
      #expect(enrollment.routeReason.isEmpty)
      #expect(try await harness.members().count == 1)
    }
  }

  @Test("staff get the member, the organization and the reason, in their language")
  func staffAreToldTheRoute() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let chinese = try await harness.submit(Applicant.application(1), as: .administrator)
      let english = try await harness.submit(
        Applicant.application(2), as: .administrator, language: "en")
      #expect(chinese.state == .admitted)
      #expect(chinese.member.hasPrefix("members/"))
      #expect(chinese.organization == names["quegou"])
      #expect(chinese.route == .areaUnion)
      #expect(!chinese.routeReason.isEmpty)
      #expect(chinese.routeReason != english.routeReason)
      #expect(english.routeReason.utf8.contains { $0 < 0x80 })
    }
  }

  @Test(
    "the first matching rule chooses the organization",
    arguments: [
      ("freight-union", Route.employerUnion, MembershipState.active),
      ("drivers", .industryFederation, .active), ("quegou-east", .areaUnion, .active),
      ("quegou", .areaUnion, .active), ("xiangshan-pool", .holdingPool, .pooled),
      ("huaibei-pool", .holdingPool, .pooled),
    ])
  func routes(expected: String, route: Route, state: MembershipState) async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let application = Applicant.application(1) { application in
        switch expected {
        case "freight-union":
          application.labourRelation = .clear
          application.employerName = "淮北货运公司"
          application.employerCreditCode = Tree.employerCreditCode
        case "drivers": application.group = .truckDriver
        case "quegou-east": application.areas?.work = "340603100201"
        case "xiangshan-pool": application.areas?.work = "340603"
        case "huaibei-pool": application.areas?.work = "340604"
        default: break
        }
      }
      let enrollment = try await harness.submit(application, as: .administrator)
      #expect(enrollment.organization == names[expected])
      #expect(enrollment.route == route)
      let members = try await harness.members()
      #expect(members.map(\.state) == [state])
      #expect(members.map(\.managingOrganization) == [names[expected]])
    }
  }

  @Test("without an organization and a pool the application is refused")
  func noReceiver() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree(Tree.rows.filter { !$0.externalID.hasSuffix("-pool") })
      let application = Applicant.application(1) { $0.areas?.work = "340604" }
      for caller in [Caller.partner(), .administrator] {
        #expect(
          try await refusal { try await harness.submit(application, as: caller) } == "NO_RECEIVER")
      }
      #expect(try await harness.members().isEmpty)
    }
  }

  @Test("staff enroll into their subtree, and into the pool that a level above keeps for it")
  func staffScope() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let lieshan = Caller.staff(names["lieshan"] ?? "", role: .clerk)
      let own = try await harness.submit(
        Applicant.application(1) { $0.areas?.work = "340604" }, as: lieshan)
      #expect(own.organization == names["huaibei-pool"])
      #expect(
        try await refusal { try await harness.submit(Applicant.application(2), as: lieshan) }
          == "OUT_OF_SCOPE")
      // The refusal is the same for known and unknown persons.
      _ = try await harness.submit(Applicant.application(3))
      #expect(
        try await refusal { try await harness.submit(Applicant.application(3), as: lieshan) }
          == "OUT_OF_SCOPE")
      let nobody = Caller.staff("organizations/\(hexID(3))", role: .clerk)
      #expect(
        try await refusal { try await harness.submit(Applicant.application(2), as: nobody) }
          == "OUT_OF_SCOPE")
      var request = GetEnrollmentRequest()
      request.name = own.name
      #expect(
        try await harness.client(lieshan).getEnrollment(request).enrollment == own,
        "its maker reads it, though the pool is not below them")
      let other = Caller.staff(names["quegou"] ?? "", id: 2)
      #expect(
        try await refusal { try await harness.client(other).getEnrollment(request) }
          == "ENROLLMENT_NOT_FOUND")
    }
  }

  @Test("every invalid field is reported at once")
  func everyWrongField() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let application = Applicant.application(1) { application in
        application.personName = "John"
        application.residentID = "110105194912310021"
        application.phone = "123"
        application.group = .unspecified
        application.consent = nil
        application.areas?.work = "999999"
        application.organizationCode = "nonsense"
      }
      let refused = try await refusal {
        try await harness.submit(application, requestID: "not-a-uuid")
      }
      for wrong in [
        "request_id=INVALID_UUID", "application.person_name=INVALID_NAME",
        "application.resident_id=INVALID_ID", "application.phone=INVALID_PHONE",
        "application.group=REQUIRED", "application.areas.work=UNKNOWN_REGION",
        "application.organization_code=CODE_MALFORMED",
      ] {
        #expect(refused.contains(wrong), "\(wrong) in \(refused)")
      }
      #expect(refused.hasPrefix("INVALID_FIELDS "))
      #expect(refused.contains("application.consent"))
    }
  }

  @Test("a person under 16 and an ID of 15 digits are refused with their own reasons")
  func personsRefused() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let digits = "34060320150101001"
      let check = ResidentID.checkCharacter(of: digits.utf8) ?? 0
      let child = Applicant.application(1) {
        $0.residentID = digits + String(UnicodeScalar(check))
      }
      #expect(
        try await refusal { try await harness.submit(child) }
          == "INVALID_FIELDS application.resident_id=UNDER_AGE")
      let old = Applicant.application(1) { $0.residentID = "340603900101001" }
      #expect(
        try await refusal { try await harness.submit(old) }
          == "INVALID_FIELDS application.resident_id=ID_OBSOLETE")
    }
  }
}

extension Harness {
  /// Returns every member, as listed for the administrator.
  func members(_ states: [MembershipState] = []) async throws -> [Member] {
    var request = ListMembersRequest()
    request.pageSize = 1_000
    request.states = states
    return try await client(.administrator).listMembers(request).members
  }
}
