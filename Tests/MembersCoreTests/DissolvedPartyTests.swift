import Foundation
import GoogleProtobuf
import MembersV1
import Protobuf
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Pool cases have no dissolved party")
struct DissolvedPartyTests {
  private func settings(_ custodian: String, _ etag: String = "v0") -> UpdateRegionSettingsRequest {
    .with {
      $0.requestID = UUID().uuidString
      $0.settings = .with {
        ($0.name, $0.etag, $0.poolCustodian) = ("regionSettings/340603", etag, custodian)
      }
      $0.updateMask = .with { $0.paths = ["pool_custodian"] }
    }
  }

  private func action(_ poolCase: PoolCase, _ harness: Harness) async throws -> [String] {
    try await harness.database.read(
      Query<[String]>.all(
        "SELECT action FROM pool_case_log WHERE case_id = ?1 ORDER BY version",
        [String(poolCase.name.suffix(32))]
      ) { try $0.text("action") })
  }

  @Test("cases assigned to a union that is dissolved wait again, also those assigned meanwhile")
  func receivers() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let union = names["quegou-east"] ?? ""
      _ = try await harness.enroll((1...3).map { PoolTests.pooled($0) })
      let cases = try await harness.poolCases(as: .administrator)
      let kept = try await harness.assign(
        cases[0].name, to: names["quegou"] ?? "", as: .administrator)
      _ = try await harness.assign(cases[1].name, to: union, as: .administrator)
      let dissolving = harness.replica(
        RacingDatabase(harness.database) {
          _ = try await harness.assign(cases[2].name, to: union, as: .administrator)
        })
      try await dissolving.dissolve(union)
      var after: [String: PoolCase] = [:]
      for poolCase in try await harness.poolCases(as: .administrator) {
        after[poolCase.name] = poolCase
      }
      #expect(after[cases[0].name] == kept)
      for before in cases.dropFirst() {
        let waiting = try #require(after[before.name])
        #expect(waiting.state == .waiting)
        #expect(waiting.receiver.isEmpty)
        #expect(waiting.returns == 0, "nobody returned it")
        #expect(waiting.custodian == before.custodian && waiting.dueDate == before.dueDate)
        #expect(try await action(before, harness) == ["OPENED", "ASSIGNED", "RELEASED"])
        let events = try await harness.events("poolCase.changed")
        #expect(events.filter { $0.entity == before.name }.map(\.version) == [1, 2, 3])
      }
      let next = try await harness.assign(
        cases[1].name, to: names["quegou"] ?? "", as: .administrator)
      #expect(try await harness.confirm(next.name, as: .administrator).membership?.state == .active)
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }

  @Test("no case is assigned to a union that is dissolved at that moment")
  func assignedBeside() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let union = names["quegou-east"] ?? ""
      _ = try await harness.submit(PoolTests.pooled(1), as: .administrator)
      let waiting = try await harness.poolCases(as: .administrator)
      let assigning = harness.replica(
        RacingDatabase(harness.database) { try await harness.dissolve(union) })
      #expect(
        try await refusal {
          try await assigning.assign(waiting[0].name, to: union, as: .administrator)
        } == "ORGANIZATION_NOT_ACTIVE")
      #expect(try await harness.poolCases(as: .administrator) == waiting)
    }
  }

  @Test("the cases that a dissolved organization kept are kept by the one above it")
  func custodians() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let client = try harness.client(.administrator)
      let set = try await client.updateRegionSettings(settings("quegou-east"))
      _ = try await harness.submit(PoolTests.pooled(1), as: .administrator)
      let member = try await harness.submit(
        Applicant.application(2) { $0.areas?.work = "340603100201" }, as: .administrator
      ).member
      let custodian = names["quegou-east"] ?? ""
      #expect(try await harness.poolCases(as: .administrator).map(\.custodian) == [custodian])
      // A case opened by the dissolution itself is not its own either.
      try await harness.dissolve(custodian, poolsMembers: true)
      let cases = try await harness.poolCases(as: .administrator)
      #expect(cases.count == 2)
      for poolCase in cases {
        let isNew = poolCase.member == member
        #expect(poolCase.custodian == names[isNew ? "xiangshan" : "quegou"])
        #expect(
          try await action(poolCase, harness) == (isNew ? ["OPENED"] : ["OPENED", "RELEASED"]))
      }
      // Nor is one of the region, whose custodian it still is.
      _ = try await harness.submit(PoolTests.pooled(3), as: .administrator)
      let all = try await harness.poolCases(as: .administrator).map(\.custodian)
      #expect(all.filter { $0 == names["xiangshan"] }.count == 2)
      let etag = set.settings?.etag ?? ""
      #expect(
        try await refusal { try await client.updateRegionSettings(settings("quegou-east", etag)) }
          == "INVALID_FIELDS settings.pool_custodian=ORGANIZATION_DISSOLVED")
      #expect(
        try await client.updateRegionSettings(settings("quegou", etag)).settings?.poolCustodian
          == "quegou")
    }
  }

  @Test("a pool that keeps its own cases leaves them to the keeper of the next pool")
  func ownCases() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let client = try harness.client(.administrator)
      _ = try await client.updateRegionSettings(settings("xiangshan-pool"))
      _ = try await harness.submit(PoolTests.pooled(1), as: .administrator)
      let pool = names["xiangshan-pool"] ?? ""
      #expect(try await harness.poolCases(as: .administrator).map(\.custodian) == [pool])
      try await harness.dissolve(pool, poolsMembers: true)
      let cases = try await harness.poolCases(as: .administrator)
      #expect(cases.map(\.pool) == [names["huaibei-pool"]])
      #expect(cases.map(\.custodian) == [names["huaibei"]])
    }
  }

  @Test("a case that is opened while its custodian is dissolved is kept by the one above the pool")
  func openedBeside() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      _ = try await harness.client(.administrator).updateRegionSettings(settings("quegou-east"))
      let enrolling = harness.replica(
        RacingDatabase(harness.database) {
          try await harness.dissolve(names["quegou-east"] ?? "")
        })
      _ = try await enrolling.submit(PoolTests.pooled(1), as: .administrator)
      let cases = try await harness.poolCases(as: .administrator)
      #expect(cases.map(\.pool) == [names["xiangshan-pool"]])
      #expect(cases.map(\.custodian) == [names["xiangshan"]])
    }
  }

  @Test("no organization that is dissolved at that moment becomes a region's custodian")
  func namedBeside() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let naming = harness.replica(
        RacingDatabase(harness.database) {
          try await harness.dissolve(names["quegou-east"] ?? "")
        })
      #expect(
        try await refusal {
          try await naming.client(.administrator).updateRegionSettings(settings("quegou-east"))
        } == "INVALID_FIELDS settings.pool_custodian=ORGANIZATION_DISSOLVED")
    }
  }
}
