import Foundation
import MembersV1
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("The tree of organizations")
struct OrganizationTests {
  @Test("an imported tree can be read and listed, with paths as in the rows")
  func imported() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      #expect(names.count == Tree.rows.count)
      let client = try harness.client(.staff(names["huaibei"] ?? "", role: .viewer))
      var request = GetOrganizationRequest()
      request.name = names["freight-union"] ?? ""
      let union = try await client.getOrganization(request).organization
      #expect(union?.displayName == "淮北货运公司工会")
      #expect(union?.parent == names["xiangshan"])
      #expect(union?.employerCreditCodes == [Tree.employerCreditCode])
      #expect(union?.state == .active)
      request.name = names["anhui"] ?? ""
      #expect(
        try await refusal { try await client.getOrganization(request) }
          == "ORGANIZATION_NOT_FOUND")
      let listed = try await client.listOrganizations(ListOrganizationsRequest()).organizations
      #expect(
        listed.map(\.externalID)
          == Tree.rows.map(\.externalID).filter { !["nation", "anhui"].contains($0) }.sorted())
    }
  }

  @Test("lists are paged in order of external id, and a token is valid for its own list only")
  func paged() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let client = try harness.client(.administrator)
      var request = ListOrganizationsRequest()
      request.pageSize = 4
      var seen: [String] = []
      repeat {
        let page = try await client.listOrganizations(request)
        seen += page.organizations.map(\.externalID)
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty
      #expect(seen == Tree.rows.map(\.externalID).sorted())

      request.pageToken = try await client.listOrganizations(request).nextPageToken
      request.kinds = [.holdingPool]
      #expect(
        try await refusal { try await client.listOrganizations(request) } == "INVALID_PAGE_TOKEN")
      request.pageToken = ""
      request.ancestor = names["xiangshan"] ?? ""
      let pools = try await client.listOrganizations(request).organizations
      #expect(pools.map(\.externalID) == ["xiangshan-pool"])
      request.externalID = "xiangshan-pool"
      #expect(try await client.listOrganizations(request).organizations == pools)
      for (externalID, kinds) in [("huaibei", []), ("drivers", [.holdingPool]), ("none", [])]
        as [(String, [OrganizationKind])]
      {
        (request.externalID, request.kinds) = (externalID, kinds)
        #expect(try await client.listOrganizations(request).organizations.isEmpty, "\(externalID)")
      }
      request.parent = names["xiangshan"] ?? ""
      #expect(
        try await refusal { try await client.listOrganizations(request) }
          == "INVALID_FIELDS external_id=INVALID_VALUE")
    }
  }

  @Test("both query plans for a subtree return the same page")
  func bothPlans() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let path = try await harness.database.read(
        OrganizationStore.byID(String((names["huaibei"] ?? "").suffix(32))))?.path
      let range = PathRange(subtreeOf: path ?? "")
      let (small, large) = try await harness.database.read(
        OrganizationStore.page(
          of: range, after: .text("h"), limit: 5, isSmall: true),
        OrganizationStore.page(
          of: range, after: .text("h"), limit: 5, isSmall: false))
      #expect(small == large)
      #expect(small.count == 5)
    }
  }

  @Test("a tree imported again is stored once; other content is a conflict")
  func importedAgain() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      // The same request ids, then new ones: the same organizations either way.
      #expect(try await harness.plantTree() == names)
      let fresh = Tree.rows.map { row in
        var row = row
        row.requestID = UUID().uuidString
        return row
      }
      #expect(try await harness.plantTree(fresh) == names)
      var renamed = fresh[3]
      renamed.requestID = UUID().uuidString
      renamed.displayName = "相山区工会"
      let result = try await harness.importing([renamed])[0]
      #expect(result.refusal == "ORGANIZATION_CONFLICT")
      renamed.requestID = fresh[3].requestID
      #expect(try await harness.importing([renamed])[0].refusal == "REQUEST_ID_REUSED")
    }
  }

  @Test("a tree imported again is answered although a region of it is no longer in force")
  func importedWithFormerRegion() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      var commit = Commit(at: harness.clock.now)
      commit.run(
        "UPDATE organizations SET region_code = '340699' WHERE external_id = 'lieshan'",
        expects: .exactly(1))
      try await harness.database.write(commit)
      func imported(
        _ id: String, _ name: String = "烈山区总工会"
      ) async throws -> ImportOrganizationsResponse {
        try await harness.importing([
          Tree.row(id, "huaibei", name, .regionalFederation, .county, "340699")
        ])[0]
      }
      guard case .organization(let again)? = try await imported("lieshan").result else {
        throw Unexpected("an error")
      }
      #expect(again.name == names["lieshan"])
      for other in [try await imported("lieshan", "烈山区工会"), try await imported("new")] {
        guard case .error(let error)? = other.result else { throw Unexpected("no error") }
        #expect(error.fieldViolations.map(\.field) == ["region_code"])
        #expect(error.fieldViolations.map(\.reason) == ["UNKNOWN_REGION"])
      }
    }
  }

  @Test("rows are refused individually, each with its reason, and the stream continues")
  func refusedRows() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let results = try await harness.importing([
        Tree.row("orphan", "nobody", "无上级工会", .branch, .basic, "340603"),
        Tree.row("bad key", "huaibei", "错", .unspecified, .unspecified, "123456") {
          $0.creditCode = Tree.employerCreditCode
          $0.employerCreditCodes = ["91350100M000100Y44"]
          $0.state = .dissolved
        },
        Tree.row("good", "xiangshan", "相山区网上会员之家", .onlineMemberHome, .basic, "340603"),
        Tree.row("good-branch", "good", "第一分会", .branch, .basic, "340603"),
      ])
      #expect(results.map(\.row) == [0, 0, 0, 0])
      #expect(results.map(\.refusal) == ["PARENT_NOT_FOUND", "INVALID_FIELDS", nil, nil])
      guard case .error(let error)? = results[1].result else { throw Unexpected("no error") }
      #expect(
        Dictionary(
          error.fieldViolations.map { ($0.field, $0.reason) }, uniquingKeysWith: { a, _ in a })
          == [
            "external_id": "INVALID_VALUE", "display_name": "TOO_SHORT", "kind": "INVALID_VALUE",
            "level": "INVALID_VALUE", "state": "INVALID_VALUE", "region_code": "UNKNOWN_REGION",
            "credit_code": "INVALID_CREDIT_CODE",
            "employer_credit_codes[0]": "INVALID_CREDIT_CODE",
          ])
    }
  }

  @Test("administrators import within their own subtree; roots only with the whole tree")
  func scope() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let xiangshan = Caller.staff(names["xiangshan"] ?? "")
      let results = try await harness.importing(
        [
          Tree.row("in", "quegou", "渠沟镇分会", .branch, .basic, "340603100"),
          Tree.row("out", "lieshan", "烈山区分会", .branch, .basic, "340604"),
          Tree.row("root", "", "另一棵树", .regionalFederation, .national, "000000"),
        ], as: xiangshan)
      #expect(results.map(\.refusal) == [nil, "OUT_OF_SCOPE", "OUT_OF_SCOPE"])
      // One administrator of a subtree activates nothing alone.
      if case .organization(let organization)? = results[0].result {
        #expect(organization.state == .preparing)
      }
      let active = Tree.row("active", "quegou", "渠沟镇二分会", .branch, .basic, "340603100") {
        $0.state = .active
      }
      #expect(
        try await harness.importing([active], as: xiangshan).map(\.refusal) == ["OUT_OF_SCOPE"])
    }
  }

  @Test("the first root may be imported by any administrator")
  func firstRoot() async throws {
    try await Harness.run { harness in
      let somebody = Caller.staff("organizations/\(hexID(7))")
      let second = Tree.row("root", "", "另一棵树", .regionalFederation, .national, "000000")
      let results = try await harness.importing([Tree.rows[0], second], as: somebody)
      #expect(results.map(\.refusal) == [nil, "OUT_OF_SCOPE"])
    }
  }

  @Test("a tree of 2,000 organizations is imported, parents before children")
  func large() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      var rows: [ImportOrganizationsRequest] = []
      for index in 0..<2_000 {
        // Every tenth is a parent, followed by its children.
        let parent = index % 10 == 0 ? "xiangshan" : "unit-\(index / 10 * 10)"
        rows.append(
          Tree.row("unit-\(index)", parent, "基层工会 \(index)", .branch, .basic, "340603"))
      }
      let results = try await harness.importing(rows)
      #expect(results.count == 2_000)
      #expect(results.allSatisfy { $0.refusal == nil })
    }
  }
}

extension ImportOrganizationsResponse {
  /// The reason with which the row was refused; nil where it was stored.
  var refusal: String? {
    if case .error(let error)? = result { error.reason } else { nil }
  }
}
