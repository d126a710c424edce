import Foundation
import MembersV1
import Protobuf
import ServiceKit
import Storage
import TestStores
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Lists of corrections and of a round's records", .timeLimit(.minutes(5)))
struct CorrectionListTests {
  @Test("a correction is listed where its member is, after a transfer and a dissolution too")
  func follows() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      var asked: [String] = []
      func expect(_ place: String) async throws {
        for staff in ["quegou", "drivers", "xiangshan-pool"] {
          let caller = Caller.staff(names[staff] ?? "", role: .viewer)
          // One state is listed by its index, several from the subtree's organizations.
          for states in [[], [CorrectionState.requested, .declined]] {
            let listed = try await harness.client(caller).listCorrections(
              .with { ($0.states, $0.pageSize) = (states, 1) })
            let expected = states.isEmpty ? Array(asked.suffix(1)) : Array(asked.prefix(1))
            #expect(listed.corrections.map(\.name) == (staff == place ? expected : []))
            let isMore = staff == place && asked.count > 1 && !states.isEmpty
            #expect(listed.nextPageToken.isEmpty == !isMore)
          }
        }
      }
      let phone = CorrectedData.with { $0.phone = Applicant.phone(70) }
      asked.append(try await harness.correct(phone, as: .member(member)).name)
      try await expect("quegou")
      let transfer = try await harness.ask(names["drivers"] ?? "", as: .member(member))
      _ = try await harness.accept(transfer.name, as: .administrator)
      try await expect("drivers")
      _ = try await harness.decide(asked[0], accept: false)
      harness.clock.advance(days: 1)
      asked.append(try await harness.correct(phone, as: .member(member)).name)
      try await expect("drivers")
      _ = try await harness.client(.administrator).dissolveOrganization(
        .with {
          ($0.requestID, $0.name) = (UUID().uuidString, names["drivers"] ?? "")
          ($0.poolMembers, $0.reason) = (true, "撤销建制")
        })
      try await expect("xiangshan-pool")
    }
  }

  @Test("a round's progress is not counted; a page of its records passes no others")
  func records() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      for number in 1...6 {
        _ = try await harness.submit(Applicant.application(number), as: .administrator)
      }
      let clerk = Caller.staff(names["quegou"] ?? "", role: .clerk)
      let counting = CountedDatabase(harness.database)
      let client = try harness.replica(counting).client(clerk)
      let round = try #require(
        try await client.openRefreshRound(
          .with {
            ($0.requestID, $0.dueDate) = (UUID().uuidString, .day(20_800))
            $0.allRecords = true
          }
        ).round)
      let members = try await harness.members().map(\.name).sorted()
      _ = try await client.confirmMember(
        .with { ($0.requestID, $0.name) = (UUID().uuidString, members[1]) })
      _ = try await client.markUnreachable(
        .with {
          ($0.requestID, $0.round, $0.member) = (UUID().uuidString, round.name, members[2])
        })
      let one = try await client.getRefreshRound(.with { $0.name = round.name }).round
      #expect(one?.staleRecords == 4)
      #expect(try await client.listRefreshRounds(.init()).rounds == [one].compactMap { $0 })
      func listed(_ states: [RefreshState]) async throws -> [String] {
        var request = ListRefreshRecordsRequest.with {
          ($0.round, $0.states, $0.pageSize) = (round.name, states, 2)
        }
        var found: [String] = []
        repeat {
          let page = try await client.listRefreshRecords(request)
          found += page.records.map(\.member)
          request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        return found
      }
      #expect(try await listed([.stale, .unreachable, .confirmed, .stale]) == members)
      #expect(try await listed([]) == [0, 3, 4, 5].map { members[$0] })
      #expect(try await listed([.confirmed]) == [members[1]])
      #expect(try await listed([.confirmed, .unreachable]) == [members[1], members[2]])
      #expect(counting.texts.allSatisfy { !$0.contains("count(") })
      let far = try harness.client(.staff(names["lieshan"] ?? "", role: .clerk))
      #expect(
        try await refusal { try await far.listRefreshRecords(.with { $0.round = round.name }) }
          == "REFRESH_ROUND_NOT_FOUND")
    }
  }
}
