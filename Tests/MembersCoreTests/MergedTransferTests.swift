import Foundation
import MembersV1
import RPC
import ServiceKit
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Merges lose nothing that was open")
struct MergedTransferTests {
  /// Two members of Quegou with one phone number; the second one wishes to join the drivers.
  private func pair(
    _ harness: Harness, _ names: [String: String]
  ) async throws -> (survivor: String, merged: String, transfer: Transfer, duplicate: Duplicate) {
    let one = try await harness.submit(Applicant.application(1), as: .administrator).member
    let two = try await harness.submit(
      Applicant.application(101) { $0.phone = Applicant.phone(1) }, as: .administrator
    ).member
    let transfer = try await harness.ask(names["drivers"] ?? "", as: .member(two))
    return (one, two, transfer, try await harness.duplicates(as: .administrator)[0])
  }

  @Test("the open transfer of a merged record is open again after the undo, and can be accepted")
  func restored() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let (survivor, merged, transfer, duplicate) = try await pair(harness, names)
      var open = OpenRefreshRoundRequest()
      (open.requestID, open.dueDate, open.allRecords) = (UUID().uuidString, .day(20_800), true)
      let clerk = try harness.client(.staff(names["huaibei"] ?? "", role: .clerk))
      let round = try #require(try await clerk.openRefreshRound(open).round)
      _ = try await harness.judge(duplicate.name, survivor: survivor, as: .administrator)
      var get = GetTransferRequest()
      get.name = transfer.name
      let client = try harness.client(.administrator)
      #expect(try await client.getTransfer(get).transfer?.state == .cancelled)
      var ask = GetRefreshRoundRequest()
      ask.name = round.name
      var now = try await clerk.getRefreshRound(ask).round
      #expect((now?.staleRecords, now?.endedRecords) == (1, 1))
      _ = try await harness.undo(duplicate.name, as: .administrator)
      let again = try await client.getTransfer(get).transfer
      #expect(again?.state == .requested)
      #expect(again?.expireDate == transfer.expireDate)
      now = try await clerk.getRefreshRound(ask).round
      #expect((now?.staleRecords, now?.endedRecords) == (2, 0))
      #expect(
        try await refusal { try await harness.ask(names["drivers"] ?? "", as: .member(merged)) }
          == "TRANSFER_OPEN")
      let drivers = Caller.staff(names["drivers"] ?? "", role: .clerk)
      _ = try await harness.accept(transfer.name, as: drivers)
      #expect(
        try await harness.members().first { $0.name == merged }?.managingOrganization
          == names["drivers"])
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }

  @Test("a transfer to a union that was dissolved meanwhile stays cancelled")
  func dissolved() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let (survivor, _, transfer, duplicate) = try await pair(harness, names)
      _ = try await harness.judge(duplicate.name, survivor: survivor, as: .administrator)
      _ = try await harness.dissolve(names["drivers"] ?? "")
      _ = try await harness.undo(duplicate.name, as: .administrator)
      var get = GetTransferRequest()
      get.name = transfer.name
      let client = try harness.client(.administrator)
      #expect(try await client.getTransfer(get).transfer?.state == .cancelled)
    }
  }

  @Test("a person whose session is that of the merged record sees the survivor's open transfer")
  func seen() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let (survivor, merged, _, duplicate) = try await pair(harness, names)
      _ = try await harness.judge(duplicate.name, survivor: survivor, as: .administrator)
      let asked = try await harness.ask(names["drivers"] ?? "", as: .member(survivor))
      let client = try harness.client(.member(merged))
      let mine = try await client.getMyMembership(GetMyMembershipRequest())
      #expect(mine.transfer?.name == asked.name)
    }
  }
}
