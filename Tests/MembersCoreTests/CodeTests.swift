import Foundation
import MembersV1
import Protobuf
import QRCode
import ServiceKit
import Storage
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

  @Test("a code resolves to its organization, however it is typed, and its channel is counted")
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

  @Test("the code of a pool that approves first admits nobody at once")
  func poolThatApproves() async throws {
    var configuration = MembersConfiguration()
    configuration.regions = [
      RegionSetting(regionCode: "340600", approveFirst: true), RegionSetting(regionCode: "340603"),
    ]
    try await Harness.run(configuration) { harness in
      let names = try await harness.plantTree()
      // Both applicants work in Xiangshan; the pool's own region is decisive.
      for (number, pool, state) in [
        (1, "huaibei-pool", EnrollmentState.pending), (2, "xiangshan-pool", .admitted),
      ] {
        let code = try await issue(harness, names[pool] ?? "")
        let enrollment = try await harness.submit(
          Applicant.application(number) { $0.organizationCode = code.text }, as: .administrator)
        #expect(enrollment.state == state, "\(pool)")
        #expect(enrollment.route == .holdingPool)
      }
      #expect(try await harness.members().count == 1)
      let waiting = try #require(try await harness.queue([.pending]).first)
      #expect(try await harness.approve(waiting, as: .administrator).state == .admitted)
      #expect(
        Set(try await harness.members().map(\.managingOrganization))
          == [names["huaibei-pool"], names["xiangshan-pool"]])
    }
  }

  @Test("a malformed, forged, expired or revoked code is refused with its reason")
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

  @Test("codes are issued for active organizations of the caller's subtree")
  func issued() async throws {
    try await Harness.run { harness in
      let suspended = Tree.row("closed", "quegou", "停用分会", .branch, .basic, "340603100") {
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

  @Test("a code is rendered as text, link, SVG and PNG, and its link resolves like its text")
  func rendered() async throws {
    var configuration = MembersConfiguration()
    configuration.codeLink = "https://yijia.example/c/"
    try await Harness.run(configuration) { harness in
      let names = try await harness.plantTree()
      let code = try await issue(harness, names["quegou"] ?? "")
      #expect(code.link == configuration.codeLink + code.text)
      let clerk = try harness.client(.staff(names["quegou"] ?? "", role: .clerk))
      func content(_ format: CodeFormat) async throws -> (String, [UInt8]) {
        var request = RenderOrganizationCodeRequest()
        request.name = code.name
        request.format = format
        let response = try await clerk.renderOrganizationCode(request)
        return (response.contentType, response.content)
      }
      #expect(try await content(.text).1 == Array(code.text.utf8))
      #expect(try await content(.link).1 == Array(code.link.utf8))
      let (svgType, svg) = try await content(.svg)
      #expect(svgType == "image/svg+xml")
      let symbol = try Symbol(code.link)
      #expect(svg == Array(symbol.svg().utf8))
      let (pngType, png) = try await content(.unspecified)
      #expect(pngType == "image/png")
      let drawn = try symbol.png()
      #expect(png == drawn)
      for scanned in [code.link, " \(code.link.lowercased())\n", "https://x.test/?c=\(code.text)"] {
        #expect(try await resolve(harness, scanned).organization?.name == names["quegou"])
      }
      #expect(try await refusal { try await resolve(harness, "https://x/c/") } == "CODE_MALFORMED")
      var wrong = RenderOrganizationCodeRequest()
      wrong.name = "organizationCodes/x"
      wrong.modulePixels = 33
      #expect(
        try await refusal { try await clerk.renderOrganizationCode(wrong) }
          == "INVALID_FIELDS name=INVALID_NAME module_pixels=OUT_OF_RANGE")
    }
  }

  @Test("without a configured page there is no link, and the QR code contains the text")
  func withoutLink() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let code = try await issue(harness, names["quegou"] ?? "")
      #expect(code.link == "")
      var request = RenderOrganizationCodeRequest()
      request.name = code.name
      request.modulePixels = 1
      let admin = try harness.client(.administrator)
      let png = try await admin.renderOrganizationCode(request).content
      let drawn = try Symbol(code.text).png(modulePixels: 1)
      #expect(png == drawn)
      request.format = .link
      #expect(
        try await refusal { try await admin.renderOrganizationCode(request) } == "NO_CODE_LINK")
      let elsewhere = try harness.client(.staff(names["lieshan"] ?? "", role: .clerk))
      #expect(
        try await refusal { try await elsewhere.renderOrganizationCode(request) }
          == "OUT_OF_SCOPE")
      harness.clock.advance(days: 30)
      #expect(
        try await refusal { try await admin.renderOrganizationCode(request) } == "CODE_EXPIRED")
    }
  }

  @Test("codes are listed newest first, ended ones without their text")
  func listed() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      var codes: [OrganizationCode] = []
      for _ in 0..<5 {
        codes.append(try await issue(harness, names["quegou"] ?? ""))
        harness.clock.advance(days: 1)
      }
      var revoke = RevokeOrganizationCodeRequest()
      revoke.requestID = UUID().uuidString
      revoke.name = codes[3].name
      let clerk = try harness.client(.staff(names["quegou"] ?? "", role: .clerk))
      _ = try await clerk.revokeOrganizationCode(revoke)
      var request = ListOrganizationCodesRequest()
      request.organization = names["quegou"] ?? ""
      request.pageSize = 2
      func list() async throws -> [OrganizationCode] {
        var seen: [OrganizationCode] = []
        request.pageToken = ""
        repeat {
          let page = try await clerk.listOrganizationCodes(request)
          seen += page.codes
          request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        return seen
      }
      #expect(try await list() == [codes[4], codes[2], codes[1], codes[0]])
      request.includeEnded = true
      let all = try await list()
      #expect(all.map(\.name) == codes.reversed().map(\.name))
      #expect(all[1].text == "" && all[1].revokeTime != nil)
      request.organization = names["xiangshan"] ?? ""
      #expect(
        try await refusal { try await clerk.listOrganizationCodes(request) }
          == "ORGANIZATION_NOT_FOUND")
    }
  }

  @Test("the actions of a scanned code depend on the caller and the organization's state")
  func actions() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let code = try await issue(harness, names["quegou"] ?? "")
      _ = try await harness.submit(Applicant.application(1))
      _ = try await harness.submit(
        Applicant.application(2) { $0.areas?.work = "340604" }, as: .administrator)
      let members = try await harness.members()
      func actions(_ caller: Caller) async throws -> [CodeAction] {
        var request = ResolveOrganizationCodeRequest()
        request.text = code.text
        return try await harness.client(caller).resolveOrganizationCode(request).actions
      }
      func member(at name: String) -> Caller {
        let found = members.first { $0.organization == name }
        return Caller(kind: .member, subject: found?.name ?? "members/\(hexID(9))")
      }
      #expect(try await actions(.partner()) == [.query, .join])
      #expect(try await actions(.staff("", role: .viewer)) == [.query])
      #expect(
        try await actions(member(at: names["quegou"] ?? "")) == [.query, .editOwnData])
      #expect(
        try await actions(member(at: names["huaibei-pool"] ?? ""))
          == [.query, .transferIn, .editOwnData])
      #expect(try await actions(member(at: "")) == [.query, .join], "somebody without membership")
      #expect(try await actions(.staff(names["quegou"] ?? "", role: .clerk)) == [.query, .join])
      #expect(try await actions(.staff(names["lieshan"] ?? "", role: .clerk)) == [.query])
      try await harness.suspend(names["quegou"] ?? "")
      #expect(try await actions(.partner()) == [.query])
      #expect(
        try await actions(member(at: names["huaibei-pool"] ?? "")) == [.query, .editOwnData])
    }
  }

  @Test("what a code offers a member is accepted, and what it does not offer is refused")
  func offers() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let (quegou, union) = (names["quegou"] ?? "", names["freight-union"] ?? "")
      var codes: [String: String] = [:]
      for place in [quegou, union] {
        codes[place] = try await harness.code(of: place, acceptsTransfers: false).text
      }
      // By number: active where they joined; managed elsewhere; pooled; retained; left.
      var members: [String] = []
      for number in 1...5 {
        let application = Applicant.application(number) {
          if number == 3 { $0.areas?.work = "340604" }
        }
        members.append(try await harness.submit(application, as: .administrator).member)
      }
      var commit = Commit(at: harness.clock.now)
      commit.run(
        "UPDATE memberships SET managing_organization_id = ?2 WHERE id = ?1",
        [
          String(members[1].dropFirst("members/".count)),
          String(union.dropFirst("organizations/".count)),
        ], expects: .exactly(1))
      try await harness.database.write(commit)
      _ = try await harness.retain(members[3], as: .administrator)
      _ = try await harness.leave(members[4], as: .administrator)
      for (index, name) in members.enumerated() {
        for (place, code) in codes {
          let member = Caller.member(name)
          var resolve = ResolveOrganizationCodeRequest()
          resolve.text = code
          let actions = try await harness.client(member).resolveOrganizationCode(resolve).actions
          let reason = "\(index) at \(place == union ? "union" : "township"): \(actions)"
          if actions.contains(.transferIn) {
            let asked = try await harness.ask(code: code, as: member)
            let open = try await harness.client(member).resolveOrganizationCode(resolve).actions
            #expect(!open.contains(.transferIn), "one is open")
            _ = try await harness.cancel(asked.name, as: member)
          } else {
            let refused = try await refusal { try await harness.ask(code: code, as: member) }
            #expect(["SAME_ORGANIZATION", "MEMBERSHIP_STATE"].contains(refused), "\(reason)")
          }
          #expect(actions.contains(.join) == (index == 4), "\(reason)")
        }
      }
      let back = Applicant.application(5) { $0.organizationCode = codes[union] ?? "" }
      #expect(try await harness.submit(back, as: .member(members[4])).state == .admitted)
    }
  }
}
