import Foundation
import GoogleProtobuf
import GoogleType
import MembersV1
import Protobuf
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("What happens to organizations")
struct OrganizationChangeTests {
  @Test("a new organization receives nobody until another administrator approves it")
  func founding() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let parent = names["xiangshan"] ?? ""
      let requestID = UUID().uuidString
      let founder = Caller.staff(parent, id: 7)
      let union = try await harness.found(below: parent, as: founder, requestID: requestID) {
        $0.employerCreditCodes = [Tree.otherCreditCode]
        $0.industryGroup = "货运"
      }
      #expect(union.state == .preparing)
      #expect(union.externalID == String(union.name.suffix(32)))
      #expect(union.industryGroup == "货运")
      #expect(union.openedDate == nil)
      let again = try await harness.found(below: parent, as: founder, requestID: requestID) {
        $0.employerCreditCodes = [Tree.otherCreditCode]
        $0.industryGroup = "货运"
      }
      #expect(again == union)
      #expect(try await harness.organization(parent).childCount == 5)

      #expect(
        try await refusal { try await harness.approveUnion(union.name, as: founder) }
          == "APPROVER_IS_AUTHOR")
      #expect(
        try await refusal {
          try await harness.approveUnion(union.name, as: .staff(union.name, id: 8))
        }
          == "OUT_OF_SCOPE")
      #expect(
        try await refusal { try await harness.approveUnion(union.name, etag: "v9") }
          == "ETAG_MISMATCH")
      let approved = try await harness.approveUnion(
        union.name, as: .staff(parent, id: 8), etag: "v1")
      #expect(approved?.state == .active)
      #expect(approved?.openedDate == GoogleType.Date.day(20_778))
      #expect(approved?.etag == "v2")
      #expect(
        try await refusal { try await harness.approveUnion(union.name) } == "ORGANIZATION_STATE")
      #expect(try await harness.wrongs() == [])
    }
  }

  @Test("an invalid new organization is refused with every invalid field, or with its reason")
  func foundingRefused() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      #expect(
        try await refusal {
          try await harness.found(below: names["quegou"] ?? "", "工", requestID: "x") {
            $0.regionCode = "999999"
            $0.kind = .unspecified
            $0.externalID = "a b"
          }
        } == """
          INVALID_FIELDS request_id=INVALID_UUID organization.external_id=INVALID_VALUE \
          organization.kind=INVALID_VALUE organization.display_name=TOO_SHORT \
          organization.region_code=UNKNOWN_REGION
          """)
      for (parent, refused) in [
        ("organizations/\(hexID(9))", "PARENT_NOT_FOUND"),
        (names["xiangshan-pool"] ?? "", "INVALID_PARENT"),
      ] {
        #expect(try await refusal { try await harness.found(below: parent) } == refused)
      }
      #expect(
        try await refusal {
          try await harness.found(below: names["xiangshan"] ?? "") { $0.externalID = "drivers" }
        } == "ORGANIZATION_CONFLICT")
      let elsewhere = Caller.staff(names["lieshan"] ?? "")
      #expect(
        try await refusal {
          try await harness.found(below: names["quegou"] ?? "", as: elsewhere)
        } == "OUT_OF_SCOPE")
      #expect(try await harness.wrongs() == [])
    }
  }

  @Test("an employer has one live union, also among concurrent claims")
  func claims() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let parent = names["xiangshan"] ?? ""
      let refused = try await refusal {
        try await harness.found(below: parent) {
          $0.employerCreditCodes = [Tree.employerCreditCode]
        }
      }
      #expect(refused == "EMPLOYER_CLAIMED")
      let imported = Tree.row("copy", "xiangshan", "另一工会", .jointUnion, .basic, "340603") {
        $0.employerCreditCodes = [Tree.employerCreditCode]
      }
      #expect(try await harness.importing([imported]).map(\.refusal) == ["EMPLOYER_CLAIMED"])
      let outcomes = try await withThrowingTaskGroup(of: String.self) { group in
        for index in 0..<6 {
          group.addTask {
            do {
              return try await harness.found(below: parent, "工会 \(index)") {
                $0.employerCreditCodes = [Tree.otherCreditCode]
              }.name
            } catch {
              return try await refusal { throw error }
            }
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.filter { $0 == "EMPLOYER_CLAIMED" }.count == 5)
      // A dissolved union claims nobody.
      try await harness.dissolve(names["freight-union"] ?? "")
      let heir = try await harness.found(below: parent) {
        $0.employerCreditCodes = [Tree.employerCreditCode]
      }
      #expect(heir.employerCreditCodes == [Tree.employerCreditCode])
    }
  }

  @Test("an update changes the fields of its mask, from the given etag")
  func update() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      var request = UpdateOrganizationRequest()
      request.requestID = UUID().uuidString
      var change = Organization()
      change.name = names["freight-union"] ?? ""
      change.etag = "v1"
      change.displayName = "淮北货运集团工会"
      change.industryGroup = "货运"
      change.regionCode = "nonsense, and not named"
      request.organization = change
      request.updateMask = FieldMask.with {
        $0.paths = ["display_name", "employer_credit_codes"]
      }
      let own = try harness.client(.staff(change.name))
      #expect(
        try await refusal { try await own.updateOrganization(request) } == "OUT_OF_SCOPE",
        "a level above decides the employers")
      let admin = try harness.client(.staff(names["xiangshan"] ?? ""))
      let updated = try await admin.updateOrganization(request).organization
      #expect(updated?.displayName == "淮北货运集团工会")
      #expect(updated?.employerCreditCodes == [])
      #expect(updated?.industryGroup == "")
      #expect(updated?.regionCode == "340603")
      #expect(updated?.etag == "v2")
      // Its former employer is not routed to it any more.
      let enrollment = try await harness.submit(
        Applicant.application(1) {
          $0.labourRelation = .clear
          $0.employerCreditCode = Tree.employerCreditCode
        }, as: .administrator)
      #expect(enrollment.organization == names["quegou"])
      // The first reply again, then a stale etag, then invalid fields.
      #expect(try await admin.updateOrganization(request).organization == updated)
      request.requestID = UUID().uuidString
      #expect(
        try await refusal { try await admin.updateOrganization(request) } == "ETAG_MISMATCH")
      request.organization?.etag = ""
      request.updateMask?.paths = ["region_code", "kind"]
      #expect(
        try await refusal { try await admin.updateOrganization(request) } == """
          INVALID_FIELDS organization.etag=REQUIRED update_mask.paths[1]=INVALID_VALUE \
          organization.region_code=UNKNOWN_REGION
          """)
    }
  }

  @Test("a suspended organization keeps its members and receives nobody until it is resumed")
  func suspension() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let quegou = names["quegou"] ?? ""
      let first = try await harness.submit(Applicant.application(1), as: .administrator)
      #expect(first.organization == quegou)
      #expect(try await harness.suspend(quegou)?.state == .suspended)
      let second = try await harness.submit(Applicant.application(2), as: .administrator)
      #expect(second.organization == names["xiangshan-pool"])
      #expect(try await refusal { try await harness.suspend(quegou) } == "ORGANIZATION_STATE")
      #expect(try await harness.resume(quegou)?.state == .active)
      #expect(try await refusal { try await harness.resume(quegou) } == "ORGANIZATION_STATE")
      let third = try await harness.submit(Applicant.application(3), as: .administrator)
      #expect(third.organization == quegou)
      let own = Caller.staff(quegou)
      #expect(try await refusal { try await harness.suspend(quegou, as: own) } == "OUT_OF_SCOPE")
      let events = try await harness.events(as: .service("stations"))
        .filter { $0.entity == quegou }
      #expect(events.map(\.entityVersion) == [1, 2, 3])
    }
  }

  @Test("a federation covers unions, and nobody's membership changes")
  func covers() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let (drivers, union) = (names["drivers"] ?? "", names["freight-union"] ?? "")
      let client = try harness.client(.staff(names["xiangshan"] ?? ""))
      func cover(_ federation: String, _ organization: String) async throws -> Organization? {
        var request = CoverOrganizationRequest()
        request.requestID = UUID().uuidString
        request.name = federation
        request.organization = organization
        return try await client.coverOrganization(request).organization
      }
      func covered() async throws -> [String] {
        var request = ListOrganizationsRequest()
        request.coveredBy = drivers
        return try await client.listOrganizations(request).organizations.map(\.externalID)
      }
      #expect(try await cover(drivers, union)?.etag == "v2")
      #expect(try await cover(drivers, union)?.etag == "v2")
      #expect(try await covered() == ["freight-union"])
      for (federation, organization) in [
        (union, drivers), (drivers, names["quegou"] ?? ""), (names["quegou"] ?? "", union),
      ] {
        #expect(try await refusal { try await cover(federation, organization) } == "COVER_KINDS")
      }
      var request = UncoverOrganizationRequest()
      request.name = drivers
      request.organization = union
      for etag in ["v3", "v3"] {
        request.requestID = UUID().uuidString
        #expect(try await client.uncoverOrganization(request).organization?.etag == etag)
      }
      #expect(try await covered() == [])
      #expect(try await cover(drivers, union)?.etag == "v4")
      try await harness.dissolve(union)
      #expect(try await covered() == [])
      #expect(
        try await refusal { try await cover(drivers, union) } == "ORGANIZATION_DISSOLVED")
    }
  }

  @Test("a list returns the children of an organization")
  func children() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let client = try harness.client(.staff(names["huaibei"] ?? "", role: .viewer))
      var request = ListOrganizationsRequest()
      request.parent = names["xiangshan"] ?? ""
      request.pageSize = 3
      let first = try await client.listOrganizations(request)
      request.pageToken = first.nextPageToken
      let rest = try await client.listOrganizations(request)
      #expect(
        (first.organizations + rest.organizations).map(\.externalID)
          == ["drivers", "freight-union", "quegou", "xiangshan-pool"])
      #expect(rest.nextPageToken == "")
      request.pageToken = ""
      request.parent = names["anhui"] ?? ""
      #expect(try await refusal { try await client.listOrganizations(request) } == "OUT_OF_SCOPE")
    }
  }
}
