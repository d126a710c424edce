import Foundation
import MembersV1
import ServiceKit
import Testing

@testable import MembersCore

@Suite("A stolen store shows nobody")
struct SecrecyTests {
  @Test("no file contains an ID, a phone, a name, an employer or a code in clear")
  func nothingInClear() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let application = Applicant.application(1) {
        $0.personName = "欧阳铁柱"
        $0.employerName = "某某运输有限公司"
        $0.vehiclePlate = "皖F12345"
        $0.driverLicense = "A1A2A3DMNP"
        $0.platform = "某某货运平台"
      }
      let enrollment = try await harness.submit(application, as: .administrator)
      _ = try await harness.submit(application)
      _ = try await harness.enroll([Applicant.application(2)])
      let client = try harness.client(.administrator)
      var reveal = RevealMemberRequest()
      reveal.requestID = UUID().uuidString
      reveal.name = enrollment.member
      reveal.reason = "核对身份"
      _ = try await client.revealMember(reveal)
      var code = GetMemberCodeRequest()
      code.name = enrollment.member
      let memberCode = try await client.getMemberCode(code).code
      let secrets = [
        application.residentID, String(application.residentID.prefix(14)), application.phone,
        application.personName, application.employerName, application.vehiclePlate,
        application.driverLicense, application.platform, memberCode, Applicant.residentID(2),
        Applicant.phone(2),
      ]
      let files = try await harness.storedBytes()
      for secret in secrets {
        for file in files {
          #expect(file.range(of: Data(secret.utf8)) == nil, "\(secret) stands in the store")
        }
      }
      // The search does find data that are in clear.
      let organization = Data((names["quegou"] ?? "").suffix(32).utf8)
      #expect(files.contains { $0.range(of: organization) != nil })
    }
  }
}
