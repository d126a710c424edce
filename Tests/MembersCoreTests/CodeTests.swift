import Foundation
import MembersV1
import ServiceKit
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Organization codes")
struct CodeTests {
  private func issue(
    _ harness: Harness, _ organization: String, _ caller: Caller = .administrator
  ) async throws -> OrganizationCode {
    var request = IssueOrganizationCodeRequest()
    request.requestID = UUID().uuidString
    request.organization = organization
    request.channel = .onSiteCeremony
    request.campaign = "1124"
    request.validDays = 30
    guard
      let code = try await harness.client(caller).issueOrganizationCode(request).code
    else { throw Unexpected("no code") }
    return code
  }

  private func resolve(
    _ harness: Harness, _ text: String
  ) async throws -> ResolveOrganizationCodeResponse {
    var request = ResolveOrganizationCodeRequest()
    request.text = text
    return try await harness.client(.partner()).resolveOrganizationCode(request)
  }

  @Test("a code leads to its organization, however it is typed, and its channel is counted")
  func resolved() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let code = try await issue(harness, names["drivers"] ?? "")
      #expect(code.text.utf8.count == 56)
      #expect(code.text.allSatisfy { $0.isUppercase || $0.isNumber || $0 == "-" })
      let found = try await resolve(harness, "  " + code.text.lowercased() + " ")
      #expect(found.organization?.name == names["drivers"])
      #expect(found.code?.text == "")
      #expect(found.code?.campaign == "1124")
      let enrollment = try await harness.submit(
        Applicant.application(1) { $0.organizationCode = code.text }, as: .administrator)
      #expect(enrollment.organization == names["drivers"])
      #expect(enrollment.route == .organizationCode)
      #expect(enrollment.channel == .onSiteCeremony)
      #expect(enrollment.campaign == "1124")
    }
  }

  @Test("a code that is malformed, forged, expired or revoked is refused as such")
  func refused() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let code = try await issue(harness, names["quegou"] ?? "")
      let swapped = String(code.text.dropLast(2)) + (code.text.hasSuffix("0") ? "11" : "00")
      #expect(try await refusal { try await resolve(harness, "hello") } == "CODE_MALFORMED")
      #expect(try await refusal { try await resolve(harness, "") } == "CODE_MALFORMED")
      #expect(try await refusal { try await resolve(harness, swapped) } == "CODE_FORGED")
      let forged = Applicant.application(1) { $0.organizationCode = swapped }
      #expect(
        try await refusal { try await harness.submit(forged) }
          == "INVALID_FIELDS application.organization_code=CODE_FORGED")

      var revoke = RevokeOrganizationCodeRequest()
      revoke.requestID = UUID().uuidString
      revoke.name = code.name
      _ = try await harness.client(.administrator).revokeOrganizationCode(revoke)
      let scanned = Applicant.application(1) { $0.organizationCode = code.text }
      #expect(try await refusal { try await resolve(harness, code.text) } == "CODE_REVOKED")
      #expect(try await refusal { try await harness.submit(scanned) } == "CODE_REVOKED")

      let other = try await issue(harness, names["quegou"] ?? "")
      harness.clock.advance(days: 31)
      #expect(try await refusal { try await resolve(harness, other.text) } == "CODE_EXPIRED")
    }
  }

  @Test("codes are issued for active organizations of the own subtree")
  func issued() async throws {
    try await Harness.run { harness in
      let suspended = Tree.row("closed", "quegou", "停用分会", .branch, .basic, "340603") {
        $0.state = .suspended
      }
      let names = try await harness.plantTree(Tree.rows + [suspended])
      let clerk = Caller.staff(names["lieshan"] ?? "", role: .clerk)
      #expect(
        try await refusal { try await issue(harness, names["quegou"] ?? "", clerk) }
          == "OUT_OF_SCOPE")
      #expect(
        try await refusal { try await issue(harness, names["closed"] ?? "") }
          == "ORGANIZATION_NOT_ACTIVE")
      #expect(
        try await refusal { try await issue(harness, "organizations/\(hexID(9))") }
          == "ORGANIZATION_NOT_FOUND")
      var revoke = RevokeOrganizationCodeRequest()
      revoke.requestID = UUID().uuidString
      revoke.name = "organizationCodes/\(hexID(9))"
      #expect(
        try await refusal {
          try await harness.client(.administrator).revokeOrganizationCode(revoke)
        } == "CODE_NOT_FOUND")
    }
  }
}
