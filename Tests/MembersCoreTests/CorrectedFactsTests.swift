import Foundation
import GoogleProtobuf
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Facts for routing that staff correct")
struct CorrectedFactsTests {
  @Test("corrected areas and labour relation decide the rerouting, and wrong ones are refused")
  func corrected() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      // A truck driver of Lieshan, where there is no federation; and one without an employer.
      for number in 1...2 {
        _ = try await harness.submit(
          Applicant.application(number) {
            $0.areas?.work = "340604"
            if number == 1 { $0.group = .truckDriver }
          }, as: .administrator)
      }
      let client = try harness.client(.staff(names["huaibei"] ?? "", role: .clerk))
      #expect(try await client.previewRerouting(PreviewReroutingRequest()).reroutings.isEmpty)
      let update = { (member: Member, details: MemberDetails, paths: [String]) in
        var request = UpdateMemberRequest()
        (request.requestID, request.reason) = (UUID().uuidString, "本人来函更正")
        request.member = member
        request.member?.details = details
        request.updateMask = .with { $0.paths = paths.map { "details.\($0)" } }
        return try await client.updateMember(request)
      }
      let members = try await harness.members()
      let driver = try #require(members.first { $0.group == .truckDriver })
      let courier = try #require(members.first { $0.group == .courier })
      #expect(
        try await refusal {
          try await update(
            driver, .with { $0.areas = .with { $0.work = "999999" } }, ["areas"])
        } == "INVALID_FIELDS member.details.areas.work=UNKNOWN_REGION")
      _ = try await update(
        driver,
        .with {
          $0.areas = .with { $0.work = "３４０６０３" }
          $0.labourRelation = .clear
        }, ["areas"])
      _ = try await update(
        courier,
        .with {
          $0.labourRelation = .clear
          $0.employerCreditCode = Tree.employerCreditCode
          $0.areas = .with { $0.work = "340603" }
          $0.migrantWorker = true
        }, ["labour_relation", "employer_credit_code", "areas", "migrant_worker"])
      let shown = try await harness.members().first { $0.name == courier.name }?.details
      #expect(shown?.migrantWorker == true)
      #expect(shown?.labourRelation == .clear)
      let other = try await harness.members().first { $0.name == driver.name }?.details
      #expect(other?.areas?.work == "340603", "normalized")
      #expect(other?.labourRelation == .unspecified, "not in the mask")
      let found = try await client.previewRerouting(PreviewReroutingRequest()).reroutings
      #expect(
        Dictionary(uniqueKeysWithValues: found.map { ($0.member, $0.toOrganization) }) == [
          driver.name: names["drivers"], courier.name: names["freight-union"],
        ])
      var apply = ApplyReroutingRequest()
      (apply.requestID, apply.members) = (UUID().uuidString, members.map(\.name))
      #expect(try await client.applyRerouting(apply).reroutings.count == 2)
    }
  }
}
