import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import TestStores
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("People who apply for themselves with a scanned code")
struct PersonApplicationTests {
  private static func applicant(_ phone: String, in harness: Harness) async throws -> Caller {
    var request = FindPhoneMembersRequest()
    request.phone = phone
    let found = try await harness.client(.service("gateway")).findPhoneMembers(request)
    return .member(found.applicant)
  }

  @Test("whoever proved a phone joins with that phone, reads the application, and is a member")
  func joins() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let code = try await harness.code(of: names["quegou"] ?? "", acceptsTransfers: false).text
      let worker = try await Self.applicant(Applicant.phone(1), in: harness)
      var resolve = ResolveOrganizationCodeRequest()
      resolve.text = code
      #expect(
        try await harness.client(worker).resolveOrganizationCode(resolve).actions
          == [.query, .join])
      #expect(
        try await refusal { try await harness.submit(Applicant.application(1), as: worker) }
          == "INVALID_FIELDS application.organization_code=REQUIRED")
      let own = Applicant.application(1) { $0.organizationCode = code }
      let id = UUID().uuidString
      let sent = try await harness.submit(own, as: worker, requestID: id)
      #expect(sent.state == .received && sent.member.isEmpty && sent.organization.isEmpty)
      #expect(try await harness.submit(own, as: worker, requestID: id) == sent, "a retry")
      let members = try await harness.members()
      #expect(members.map(\.organization) == [names["quegou"]])
      #expect(members.map(\.channel) == [.qrScan])
      var get = GetEnrollmentRequest()
      get.name = sent.name
      #expect(try await harness.client(worker).getEnrollment(get).enrollment == sent)
      let list = try await harness.client(worker).listEnrollments(ListEnrollmentsRequest())
      #expect(list.enrollments == [sent])
      let other = try await Self.applicant(Applicant.phone(2), in: harness)
      #expect(
        try await refusal { try await harness.client(other).getEnrollment(get) }
          == "ENROLLMENT_NOT_FOUND")
      #expect(
        try await refusal { try await harness.submit(own, as: other) }
          == "INVALID_FIELDS application.phone=NOT_OWN")
      #expect(
        try await refusal {
          try await harness.client(worker).getMyMembership(GetMyMembershipRequest())
        } == "MEMBER_NOT_FOUND", "an applicant is no member")
    }
  }

  @Test("with a phone only, nobody learns about others, nor revives who has another phone")
  func neutral() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let code = try await harness.code(of: names["quegou"] ?? "", acceptsTransfers: false).text
      _ = try await harness.enroll((1...2).map { Applicant.application($0) })
      let left = try #require(
        try await harness.members().first { $0.phoneMasked.hasSuffix("0002") })
      _ = try await harness.leave(left.name, as: .administrator)
      let stranger = try await Self.applicant(Applicant.phone(50), in: harness)
      var replies: [Enrollment] = []
      for number in 1...3 {
        var reply = try await harness.submit(
          Applicant.application(number) {
            $0.organizationCode = code
            $0.phone = Applicant.phone(50)
          }, as: stranger)
        reply.name = ""
        replies.append(reply)
      }
      #expect(Set(replies.map(\.state)) == [.received])
      #expect(replies.allSatisfy { $0 == replies[0] })
      // Somebody who left, with another phone: staff decide.
      let waiting = try await harness.enrollments(as: .administrator)
      #expect(waiting.map(\.state) == [.pending])
      let masked = "340603********" + Applicant.residentID(2).suffix(4)
      #expect(waiting.map(\.residentIDMasked) == [masked])
      let found = try await harness.members().first { $0.name == left.name }
      #expect(found == nil || found?.state == .left)
      var withdraw = WithdrawEnrollmentRequest()
      (withdraw.requestID, withdraw.name) = (UUID().uuidString, waiting[0].name)
      let reply = try await harness.client(stranger).withdrawEnrollment(withdraw).enrollment
      #expect(reply?.state == .received)
      #expect(try await harness.enrollments(as: .administrator).isEmpty)
    }
  }

  @Test("the applications of one phone are limited; a retry is answered")
  func limited() async throws {
    try await Harness.run(on: [.sqlite]) { harness in
      let names = try await harness.plantTree()
      let code = try await harness.code(of: names["quegou"] ?? "", acceptsTransfers: false).text
      let worker = try await Self.applicant(Applicant.phone(1), in: harness)
      func application(_ number: Int) -> EnrollmentApplication {
        Applicant.application(number) {
          $0.organizationCode = code
          $0.phone = Applicant.phone(1)
        }
      }
      let id = UUID().uuidString
      let first = try await harness.submit(application(1), as: worker, requestID: id)
      for number in 2...EnrollmentEntry.ofPersonMax {
        _ = try await harness.submit(application(number), as: worker)
      }
      #expect(
        try await refusal { try await harness.submit(application(99), as: worker) }
          == "APPLICATION_LIMIT")
      #expect(try await harness.submit(application(1), as: worker, requestID: id) == first)
    }
  }

  @Test("a member who left joins again with their own session, by every offer of the code")
  func rejoins() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let code = try await harness.code(of: names["drivers"] ?? "", acceptsTransfers: false).text
      let own = Applicant.application(1) { $0.organizationCode = code }
      let name = try await harness.submit(Applicant.application(1), as: .administrator).member
      let member = Caller.member(name)
      let again = try await harness.submit(own, as: member)
      #expect(again.state == .admitted && again.member == name, "the existing membership")
      _ = try await harness.leave("", as: member)
      var resolve = ResolveOrganizationCodeRequest()
      resolve.text = code
      #expect(
        try await harness.client(member).resolveOrganizationCode(resolve).actions
          == [.query, .join, .editOwnData])
      #expect(
        try await refusal {
          try await harness.submit(
            Applicant.application(2) { $0.organizationCode = code }, as: member)
        } == "INVALID_FIELDS application.phone=NOT_OWN")
      let back = try await harness.submit(own, as: member)
      #expect(back.state == .admitted && back.member == name)
      #expect(back.organization == names["drivers"])
      #expect(try await harness.members().map(\.state) == [.active])
      #expect(try await harness.countsAgree())
    }
  }
}

extension Harness {
  func enrollments(as caller: Caller) async throws -> [Enrollment] {
    try await client(caller).listEnrollments(ListEnrollmentsRequest()).enrollments
  }
}
