import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Members whom others move, with what is open about them", .timeLimit(.minutes(5)))
struct MoveTests {
  private static let unit = "顺达(淮北)货运有限公司"

  private static func worker(_ number: Int, code: String = "") -> EnrollmentApplication {
    Applicant.application(number) {
      $0.employerName = unit
      $0.organizationCode = code
    }
  }

  @Test("a re-routed member keeps a transfer to elsewhere; one to the new union is cancelled")
  func rerouting() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree(
        Tree.rows.filter { $0.externalID != "drivers" })
      var members: [String] = []
      for number in 1...3 {
        members.append(
          try await harness.submit(
            Applicant.application(number) { $0.group = .truckDriver }, as: .administrator
          ).member)
      }
      _ = try await harness.importing(Tree.rows.filter { $0.externalID == "drivers" })
      let drivers = try await harness.named("drivers")
      let elsewhere = names["freight-union"] ?? ""
      let there = try await harness.ask(drivers, as: .member(members[0]))
      let away = try await harness.ask(elsewhere, as: .member(members[1]))
      var apply = ApplyReroutingRequest()
      apply.requestID = UUID().uuidString
      apply.members = members
      let client = try harness.client(.staff(names["xiangshan"] ?? "", role: .clerk))
      #expect(try await client.applyRerouting(apply).reroutings.count == 3)
      #expect(try await harness.transfer(there.name).state == .cancelled)
      #expect(try await harness.transfer(away.name).state == .requested)
      #expect(try await harness.openTransfers() == 1)
      // The remaining transfer is decided from the member's new union.
      let receiving = Caller.staff(elsewhere, role: .clerk)
      let accepted = try await harness.accept(away.name, as: receiving)
      #expect(accepted.transfer?.fromOrganization == drivers)
      #expect(accepted.membership?.organization == elsewhere)
      _ = try await harness.ask(elsewhere, as: .member(members[0]))
      #expect(try await harness.countsAgree())
    }
  }

  @Test("a formed union takes pooled people too; their case and a transfer to it end")
  func forming() async throws {
    var configuration = MembersConfiguration()
    configuration.regions = [RegionSetting(regionCode: "340603", unitThreshold: 3)]
    try await Harness.run(configuration) { harness in
      let pool = Tree.row(
        "quegou-pool", "quegou", "渠沟镇会员周转池", .holdingPool, .basic, "340603100")
      let names = try await harness.plantTree(Tree.rows + [pool])
      let code = try await harness.code(of: names["quegou-pool"] ?? "", acceptsTransfers: false)
      let pooled = try await harness.submit(Self.worker(1, code: code.text), as: .administrator)
      let asking = try await harness.submit(Self.worker(2), as: .administrator)
      _ = try await harness.submit(Self.worker(3), as: .administrator)
      let union = names["freight-union"] ?? ""
      let wish = try await harness.ask(union, as: .member(asking.member))
      let waiting = try #require(try await harness.poolCases(as: .administrator).first)
      var assign = AssignPoolCaseRequest()
      (assign.requestID, assign.name) = (UUID().uuidString, waiting.name)
      assign.receiver = names["quegou"] ?? ""
      let client = try harness.client(.administrator)
      _ = try await client.assignPoolCase(assign)
      #expect(try await harness.form(union) == 3)
      #expect(Set(try await harness.members().map(\.managingOrganization)) == [union])
      #expect(Set(try await harness.members().map(\.state)) == [.active])
      #expect(try await harness.transfer(wish.name).state == .cancelled)
      #expect(try await harness.openTransfers() == 0)
      let cases = try await harness.poolCases(as: .administrator) { $0.states = [.closed] }
      #expect(cases.map(\.member) == [pooled.member])
      #expect(try await harness.poolCases(as: .administrator).isEmpty)
      // They have a union now, so the township does not count them again.
      try await harness.service.foldUnits()
      #expect(try await harness.units([.counting, .triggered]).isEmpty)
      #expect(try await harness.countsAgree())
    }
  }

  @Test("transfers requested and decided while a union is formed leave nobody in none or two")
  func race() async throws {
    var configuration = MembersConfiguration()
    configuration.regions = [RegionSetting(regionCode: "340603", unitThreshold: 3)]
    try await Harness.run(configuration) { harness in
      let names = try await harness.plantTree()
      let union = names["freight-union"] ?? ""
      var members: [String] = []
      for number in 1...8 {
        members.append(
          try await harness.submit(Self.worker(number), as: .administrator).member)
      }
      let asking = members
      async let formed = harness.form(union)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, member) in asking.enumerated() {
          let wanted = names[index.isMultiple(of: 2) ? "freight-union" : "drivers"] ?? ""
          group.addTask {
            _ = try await TransferTests.unless(["SAME_ORGANIZATION", "TRANSFER_STATE"]) {
              let asked = try await harness.ask(wanted, as: .member(member))
              _ = try await harness.accept(asked.name, as: .administrator)
            }
          }
        }
        try await group.waitForAll()
      }
      _ = try await formed
      #expect(try await harness.openTransfers() == 0, "none is open that nobody can decide")
      let places = Set(try await harness.members().map(\.managingOrganization))
      #expect(places.isSubset(of: [union, names["drivers"] ?? ""]))
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }
}

extension Harness {
  func named(_ externalID: String) async throws -> String {
    var request = ListOrganizationsRequest()
    request.pageSize = 1_000
    let all = try await client(.administrator).listOrganizations(request).organizations
    return all.first { $0.externalID == externalID }?.name ?? ""
  }

  fileprivate func transfer(_ name: String) async throws -> Transfer {
    var request = GetTransferRequest()
    request.name = name
    return try await client(.administrator).getTransfer(request).transfer ?? Transfer()
  }

  /// The rows of the table that limits a member to one open transfer.
  fileprivate func openTransfers() async throws -> Int {
    try await database.read(
      Query<Int>.one("SELECT count(*) AS n FROM open_transfers") { try $0.int("n") })
  }

  /// Folds the units, and forms the union of the one above the threshold; returns the people moved.
  fileprivate func form(_ union: String) async throws -> Int64 {
    try await service.foldUnits()
    let client = try client(.administrator)
    guard let unit = try await units().first else { throw Unexpected("no unit is large enough") }
    var assign = AssignUnitRequest()
    (assign.requestID, assign.name, assign.union) = (UUID().uuidString, unit.name, union)
    _ = try await client.assignUnit(assign)
    var guide = GuideUnitRequest()
    (guide.requestID, guide.name) = (UUID().uuidString, unit.name)
    _ = try await client.guideUnit(guide)
    var form = FormUnitUnionRequest()
    (form.requestID, form.name, form.union) = (UUID().uuidString, unit.name, union)
    return try await client.formUnitUnion(form).membersMoved
  }
}
