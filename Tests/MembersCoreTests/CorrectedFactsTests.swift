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

  @Test("the new-form flag and the license of an application are kept, and corrected by staff")
  func drivers() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      #expect(
        try await refusal {
          try await harness.submit(
            Applicant.application(1) { ($0.vehiclePlate, $0.driverLicense) = ("C1", "Z9") })
        } == "INVALID_FIELDS application.vehicle_plate=INVALID_PLATE "
          + "application.driver_license=INVALID_LICENSE")
      let name = try await harness.submit(
        Applicant.application(1) { ($0.newFormWorker, $0.driverLicense) = (true, "ａ2、d") },
        as: .administrator
      ).member
      var kept: EnrollmentApplication?
      for part in try await harness.export(name, as: .member(name)) {
        if case .application(let one)? = part.part { kept = one.application }
      }
      #expect(kept?.newFormWorker == true)
      #expect(kept?.driverLicense == "A2D", "normalized")
      var request = UpdateMemberRequest()
      (request.requestID, request.reason) = (UUID().uuidString, "本人来函更正")
      var member = try await harness.members()[0]
      #expect(member.details?.driverLicense == "A2D")
      #expect(member.details?.newFormWorker == nil, "that of the application applies")
      member.details = .with { ($0.newFormWorker, $0.driverLicense) = (false, "B2") }
      request.member = member
      request.updateMask = .with {
        $0.paths = ["details.new_form_worker", "details.driver_license"]
      }
      let client = try harness.client(.administrator)
      _ = try await client.updateMember(request)
      let shown = try await harness.members()[0].details
      #expect(shown?.newFormWorker == false)
      #expect(shown?.driverLicense == "B2")
    }
  }
}
