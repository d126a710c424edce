import Foundation
import MembersV1
import Protobuf
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Members whom a pool keeps have a case, or are retained")
struct PooledMemberTests {
  /// Returns a retained member of Quegou-East.
  private func retained(_ harness: Harness) async throws -> String {
    let member = try await harness.submit(
      Applicant.application(1) { $0.areas?.work = "340603100201" }, as: .administrator
    ).member
    _ = try await harness.retain(member, as: .administrator)
    return member
  }

  @Test("a retained member whose union was dissolved is pooled when restored, with a case")
  func restored() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await retained(harness)
      _ = try await harness.dissolve(names["quegou-east"] ?? "", poolsMembers: true)
      #expect(try await harness.poolCases(as: .administrator).isEmpty)
      let restored = try await harness.restore(member, as: .administrator)
      #expect(restored.state == .pooled)
      #expect(restored.managingOrganization == names["xiangshan-pool"])
      let cases = try await harness.poolCases(as: .administrator)
      #expect(cases.map(\.member) == [member])
      #expect(cases.map(\.pool) == [names["xiangshan-pool"]])
      #expect(try await harness.events("poolCase.changed").map(\.version) == [1])
      let log = try await harness.log(of: member, as: .administrator)
      #expect(log.map(\.action) == [.joined, .retained, .updated, .restored])
      #expect(log.last?.toState == .pooled)
      #expect(try await harness.audit(action: "members.restore").count == 1)
      _ = try await harness.assign(cases[0].name, to: names["quegou"] ?? "", as: .administrator)
      let confirmed = try await harness.confirm(cases[0].name, as: .administrator)
      #expect(confirmed.membership?.state == .active)
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }

  @Test("a member restored while the union is dissolved is pooled with a case, too")
  func restoredBeside() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await retained(harness)
      let racing = harness.replica(
        RacingDatabase(harness.database) {
          _ = try await harness.dissolve(names["quegou-east"] ?? "", poolsMembers: true)
        })
      #expect(try await racing.restore(member, as: .administrator).state == .pooled)
      #expect(try await harness.poolCases(as: .administrator).map(\.member) == [member])
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }

  @Test("no undo of a merge leaves an active member in a pool without a case")
  func undone() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let survivor = try await harness.submit(Applicant.application(1), as: .administrator).member
      let merged = try await harness.submit(
        Applicant.application(101) {
          $0.phone = Applicant.phone(1)
          $0.areas?.work = "340603"
        }, as: .administrator
      ).member
      let duplicate = try await harness.duplicates(as: .administrator)[0]
      _ = try await harness.judge(duplicate.name, survivor: survivor, as: .administrator)
      // As in stores from before restored members of pools were pooled.
      var commit = Commit(at: harness.clock.now)
      commit.run("UPDATE merges SET former_state = ?1", [MembershipState.active.rawValue])
      try await harness.database.write(commit)
      _ = try await harness.undo(duplicate.name, as: .administrator)
      #expect(try await harness.members().first { $0.name == merged }?.state == .pooled)
      #expect(try await harness.poolCases(as: .administrator).map(\.member) == [merged])
      #expect(try await harness.countsAgree())
    }
  }
}

@Suite("Retained members have no open transfer")
struct RetainedTransferTests {
  @Test("retaining a member cancels the open transfer, also one requested at that moment")
  func cancelled() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let drivers = names["drivers"] ?? ""
      for (number, isBeside) in [(1, false), (2, true)] {
        let member = try await harness.submit(
          Applicant.application(number), as: .administrator
        ).member
        if !isBeside { _ = try await harness.ask(drivers, as: .member(member)) }
        let retaining = harness.replica(
          RacingDatabase(harness.database) {
            if isBeside { _ = try await harness.ask(drivers, as: .member(member)) }
          })
        #expect(try await retaining.retain(member, as: .administrator).state == .retained)
        #expect(try await harness.transfers(as: .member(member)).isEmpty)
        let ended = try await harness.client(.member(member)).listTransfers(
          .with { $0.states = [.cancelled] })
        #expect(ended.transfers.count == 1)
        let events = try await harness.events("transfer.changed")
        #expect(events.filter { $0.version == 2 }.count == number, "told")
        _ = try await harness.restore(member, as: .administrator)
        #expect(try await harness.ask(drivers, as: .member(member)).state == .requested)
      }
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }
}
