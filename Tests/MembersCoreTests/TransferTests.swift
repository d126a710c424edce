import Foundation
import MembersV1
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Transfers", .timeLimit(.minutes(5)))
struct TransferTests {
  @Test("the member requests, the receiver alone decides, and the member always has one union")
  func life() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let (from, to) = (names["quegou"] ?? "", names["freight-union"] ?? "")
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let me = Caller.member(member)
      let leaving = Caller.staff(from, role: .clerk, id: 2)
      let receiving = Caller.staff(to, role: .clerk, id: 3)
      let asked = try await harness.ask(to, as: me)
      #expect(asked.state == .requested)
      #expect(asked.fromOrganization == from)
      #expect(asked.handler == to)
      #expect(try await refusal { try await harness.ask(to, as: me) } == "TRANSFER_OPEN")
      #expect(
        try await refusal { try await harness.accept(asked.name, as: leaving) } == "OUT_OF_SCOPE")
      #expect(
        try await refusal { try await harness.cancel(asked.name, as: receiving) }
          == "OUT_OF_SCOPE")
      let far = Caller.staff(names["lieshan"] ?? "", role: .clerk)
      #expect(
        try await refusal { try await harness.accept(asked.name, as: far) }
          == "TRANSFER_NOT_FOUND")
      #expect(try await harness.transfers(as: receiving) == [asked])
      #expect(try await harness.transfers(as: me) == [asked])
      #expect(try await harness.transfers(as: leaving).isEmpty, "it is not asked")
      #expect(try await harness.decline(asked.name, as: receiving).state == .declined)
      let again = try await harness.ask(to, as: me)
      let accepted = try await harness.accept(again.name, as: receiving)
      #expect(accepted.transfer?.state == .completed)
      #expect(accepted.membership?.managingOrganization == to)
      #expect(accepted.membership?.organization == to, "the member's own wish")
      #expect(accepted.membership?.state == .active)
      #expect(
        try await refusal { try await harness.cancel(again.name, as: me) } == "TRANSFER_STATE")
      #expect(try await refusal { try await harness.ask(to, as: me) } == "SAME_ORGANIZATION")
      #expect(
        try await refusal { try await harness.ask(names["anhui"] ?? "", as: me) }
          == "NO_INDIVIDUAL_MEMBERS")
      #expect(
        try await harness.log(of: "", as: me).map(\.action) == [.joined, .transferred])
      let events = try await harness.events(as: .service("stations"))
      #expect(events.filter { $0.entity == again.name }.map(\.entityVersion) == [1, 2])
      #expect(try await harness.countsAgree())
    }
  }

  @Test("a code that accepts transfers moves a member who scans it at once, also out of the pool")
  func scanned() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await harness.submit(PoolTests.pooled(1), as: .administrator).member
      let ask = try await harness.code(of: names["quegou"] ?? "", acceptsTransfers: false)
      let atOnce = try await harness.code(of: names["drivers"] ?? "", acceptsTransfers: true)
      let me = Caller.member(member)
      let asked = try await harness.ask(code: ask.text, as: me)
      #expect(asked.state == .requested)
      #expect(asked.toOrganization == names["quegou"])
      #expect(
        try await refusal { try await harness.ask(code: atOnce.text, as: me) } == "TRANSFER_OPEN")
      #expect(try await harness.cancel(asked.name, as: me).state == .cancelled)
      let id = UUID().uuidString
      let done = try await harness.ask(code: atOnce.text, as: me, requestID: id)
      #expect(done.state == .completed)
      #expect(try await harness.ask(code: atOnce.text, as: me, requestID: id) == done)
      let moved = try await harness.members()[0]
      #expect(moved.state == .active)
      #expect(moved.managingOrganization == names["drivers"])
      let cases = try await harness.poolCases(as: .administrator) { $0.states = [.closed] }
      #expect(cases.map(\.member) == [member])
      #expect(
        try await refusal { try await harness.ask(code: "YJ1-NONSENSE", as: me) }
          == "INVALID_FIELDS organization_code=CODE_MALFORMED")
      #expect(try await harness.countsAgree())
    }
  }

  @Test("of many concurrent requests, acceptances and a leaving nothing is done twice or by half")
  func concurrent() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let unions = ["quegou-east", "freight-union", "drivers"].map { names[$0] ?? "" }
      for number in 1...4 {
        let member = try await harness.submit(Applicant.application(number), as: .administrator)
          .member
        let asked = try await withThrowingTaskGroup(of: Transfer?.self) { group in
          for turn in 0..<9 {
            let id = UUID().uuidString
            for _ in 0..<2 {
              group.addTask {
                try await Self.unless(["TRANSFER_OPEN"]) {
                  try await harness.ask(unions[turn % 3], as: .member(member), requestID: id)
                }
              }
            }
          }
          return try await group.reduce(into: []) { $0 += [$1].compactMap { $0 } }
        }
        #expect(asked.count == 2, "one, and its retry")
        #expect(Set(asked).count == 1)
        let name = asked[0].name
        try await withThrowingTaskGroup(of: Void.self) { group in
          for turn in 0..<8 {
            group.addTask {
              _ = try await Self.unless(["TRANSFER_STATE", "MEMBERSHIP_STATE"]) {
                switch turn % 4 {
                case 0: _ = try await harness.accept(name, as: .administrator)
                case 1: _ = try await harness.decline(name, as: .administrator)
                case 2: _ = try await harness.cancel(name, as: .member(member))
                default: if number > 2 { _ = try await harness.leave("", as: .member(member)) }
                }
              }
            }
          }
          try await group.waitForAll()
        }
        #expect(try await harness.transfers(as: .member(member)).isEmpty, "none is open")
      }
      let open = try await harness.database.read(
        Query<Int>.one("SELECT count(*) AS n FROM open_transfers") { try $0.int("n") })
      #expect(open == 0)
      #expect(try await harness.members().count == 2)
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }

  @Test("a request during leaving leaves no open transfer")
  func leftMeanwhile() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      for number in 1...8 {
        let member = try await harness.submit(Applicant.application(number), as: .administrator)
          .member
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask {
            _ = try await Self.unless(["MEMBERSHIP_STATE"]) {
              try await harness.ask(names["drivers"] ?? "", as: .member(member))
            }
          }
          group.addTask { _ = try await harness.leave("", as: .member(member)) }
          try await group.waitForAll()
        }
        #expect(try await harness.transfers(as: .member(member)).isEmpty)
      }
    }
  }

  @Test(
    "a transfer is escalated before it expires, and the expiry day counts until it ends in China")
  func expiry() async throws {
    var configuration = MembersConfiguration()
    configuration.regions = [RegionSetting(regionCode: "340603", transferDays: 10)]
    try await Harness.run(configuration) { harness in
      let names = try await harness.plantTree()
      var asked: [Transfer] = []
      for number in 1...3 {
        let member = try await harness.submit(Applicant.application(number), as: .administrator)
          .member
        asked.append(try await harness.ask(names["drivers"] ?? "", as: .member(member)))
      }
      let service = harness.service
      harness.clock.advance(days: 10)
      #expect(try await service.keepDeadlines() == 0)
      harness.clock.advance(days: 1)
      async let first = service.keepDeadlines()
      async let second = service.keepDeadlines()
      #expect(try await first + second == 3)
      #expect(
        Set(try await harness.transfers(as: .administrator).map(\.handler))
          == [names["xiangshan"] ?? ""])
      harness.clock.advance(days: 9)
      #expect(try await service.keepDeadlines() == 0)
      #expect(
        try await harness.accept(asked[0].name, as: .administrator).transfer?.state == .completed)
      harness.clock.advance(days: 1)
      #expect(
        try await refusal { try await harness.accept(asked[1].name, as: .administrator) }
          == "TRANSFER_EXPIRED", "whether anybody has noticed or not")
      #expect(try await service.keepDeadlines() == 2)
      #expect(
        try await refusal { try await harness.accept(asked[1].name, as: .administrator) }
          == "TRANSFER_STATE")
      #expect(
        try await harness.ask(names["drivers"] ?? "", as: .member(asked[2].member)).state
          == .requested)
      harness.clock.advance(days: 60)
      #expect(try await service.keepDeadlines() == 2, "up, and then expired")
    }
  }

  /// Returns nil where the call is refused with one of the reasons.
  static func unless<Result>(
    _ reasons: Set<String>, _ call: () async throws -> Result
  ) async throws -> Result? {
    do {
      return try await call()
    } catch let error as RPCError where reasons.contains(error.message) {
      return nil
    }
  }
}

extension Harness {
  func ask(
    _ organization: String = "", code: String = "", as caller: Caller,
    requestID: String = UUID().uuidString
  ) async throws -> Transfer {
    var request = RequestTransferRequest()
    request.requestID = requestID
    request.toOrganization = organization
    request.organizationCode = code
    return try await client(caller).requestTransfer(request).transfer ?? Transfer()
  }

  func accept(_ name: String, as caller: Caller) async throws -> AcceptTransferResponse {
    var request = AcceptTransferRequest()
    request.requestID = UUID().uuidString
    request.name = name
    return try await client(caller).acceptTransfer(request)
  }

  func decline(_ name: String, as caller: Caller) async throws -> Transfer {
    var request = DeclineTransferRequest()
    request.requestID = UUID().uuidString
    request.name = name
    request.reason = "不在本单位工作"
    return try await client(caller).declineTransfer(request).transfer ?? Transfer()
  }

  func cancel(_ name: String, as caller: Caller) async throws -> Transfer {
    var request = CancelTransferRequest()
    request.requestID = UUID().uuidString
    request.name = name
    request.reason = "不再申请"
    return try await client(caller).cancelTransfer(request).transfer ?? Transfer()
  }

  func transfers(as caller: Caller) async throws -> [Transfer] {
    var request = ListTransfersRequest()
    request.pageSize = 2
    var transfers: [Transfer] = []
    repeat {
      let page = try await client(caller).listTransfers(request)
      transfers += page.transfers
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return transfers
  }

  func code(of organization: String, acceptsTransfers: Bool) async throws -> OrganizationCode {
    var request = IssueOrganizationCodeRequest()
    request.requestID = UUID().uuidString
    request.organization = organization
    request.acceptsTransfers = acceptsTransfers
    return try await client(.administrator).issueOrganizationCode(request).code
      ?? OrganizationCode()
  }
}
