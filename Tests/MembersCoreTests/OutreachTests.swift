import Crypto
import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import TestStores
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("People who are no members are kept to be contacted", .timeLimit(.minutes(5)))
struct OutreachTests {
  private static func row(_ number: Int, isHashed: Bool = false) -> RosterRow {
    var row = RosterRow()
    row.row = Int64(number)
    let id = Applicant.residentID(number)
    if isHashed {
      row.residentIDSHA256 = Array(SHA256.hash(data: Data(id.utf8)))
    } else {
      row.residentID = id
    }
    row.personName = Applicant.application(number).personName
    row.phone = Applicant.phone(number)
    row.address = "渠沟镇 \(number) 号"
    return row
  }

  @Test("a non-member is stored once, masked, contacted, and JOINED on joining")
  func life() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll([Applicant.application(1)])
      let chief = Caller.staff(names["xiangshan"] ?? "")
      let clerk = Caller.staff(names["xiangshan"] ?? "", role: .clerk, id: 2)
      let far = Caller.staff(names["lieshan"] ?? "", role: .clerk)
      let id = UUID().uuidString
      let list = try await harness.makeList(as: chief, requestID: id)
      #expect(try await harness.makeList(as: chief, requestID: id) == list, "a retry")
      let rows = (1...5).map { Self.row($0, isHashed: $0 == 5) }
      #expect(try await harness.fill(list, rows + [Self.row(2)], as: chief) == 4)
      #expect(try await harness.fill(list, rows, as: chief) == 0, "once a list")
      let entries = try await harness.entries(list, as: clerk)
      #expect(Set(entries.map(\.state)) == [.open])
      #expect(
        Set(entries.map(\.phone)) == ["138****0002", "138****0003", "138****0004", "138****0005"])
      #expect(entries.allSatisfy { $0.personName.contains("*") })
      #expect(
        try await refusal { try await harness.entries(list, as: far) } == "OUTREACH_NOT_FOUND")
      let second = try #require(entries.first { $0.phone.hasSuffix("0002") })
      let third = try #require(entries.first { $0.phone.hasSuffix("0003") })
      #expect(
        try await refusal { try await harness.reveal(second, as: far) } == "OUTREACH_NOT_FOUND")
      let contact = try await harness.reveal(second, as: clerk)
      #expect(contact.phone == "+86" + Applicant.phone(2))
      #expect(contact.address == "渠沟镇 2 号")
      #expect(contact.residentIDSHA256.isEmpty)
      #expect(try await harness.audited("outreachEntries.reveal") == 1)
      #expect(
        try await refusal { try await harness.record(second, .joined, as: clerk) }
          == "INVALID_FIELDS state=INVALID_VALUE")
      #expect(try await harness.record(second, .notReached, as: clerk).state == .notReached)
      #expect(
        try await refusal { try await harness.record(second, .contacted, as: clerk) }
          == "ETAG_MISMATCH")
      #expect(try await harness.record(third, .declined, as: clerk).state == .declined)
      #expect(try await refusal { try await harness.reveal(third, as: clerk) } == "OUTREACH_STATE")
      _ = try await harness.enroll([Applicant.application(4)])
      let progress = try await harness.progress(list, as: clerk)
      #expect(progress == [.open: 1, .notReached: 1, .declined: 1, .joined: 1])
      #expect(try await harness.entries(list, [.joined], as: clerk).count == 1)
      #expect(try await harness.lists(as: clerk).map(\.name) == [list])
      #expect(try await harness.lists(as: far).isEmpty)
      #expect(try await harness.close(list, as: chief).counts.count == 4)
      #expect(try await harness.progress(list, as: clerk) == progress, "the progress stays")
      #expect(try await harness.entries(list, [.open, .declined, .joined], as: clerk).isEmpty)
      #expect(
        try await refusal { try await harness.fill(list, rows, as: chief) } == "OUTREACH_STATE")
      #expect(try await refusal { try await harness.close(list, as: chief) } == "OUTREACH_STATE")
      #expect(try await harness.lists(as: clerk).isEmpty)
      let events = try await harness.events(as: .service("stations"))
      #expect(events.filter { $0.entity == list }.map(\.entityVersion) == [1, 2])
    }
  }

  @Test("nothing of a list is readable in the store; an erased person is in no list")
  func secrecy() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let chief = Caller.staff(names["xiangshan"] ?? "")
      let list = try await harness.makeList(as: chief)
      #expect(try await harness.fill(list, (1...3).map { Self.row($0) }, as: chief) == 3)
      let member = try await harness.submit(Applicant.application(2), as: .administrator).member
      for bytes in try await harness.storedBytes() {
        for secret in [Applicant.phone(1), Applicant.residentID(1), "渠沟镇 1 号"] {
          #expect(bytes.range(of: Data(secret.utf8)) == nil)
        }
      }
      let exported = try await harness.export(member, as: .member(member)).compactMap { part in
        if case .outreach(let one)? = part.part { one.contact?.phone } else { nil as String? }
      }
      #expect(exported == ["+86" + Applicant.phone(2)], "whose data it is may see it")
      _ = try await harness.erase(member, as: .member(member))
      #expect(try await harness.progress(list, as: chief) == [.open: 2])
    }
  }

  @Test("keys are renewed concurrently, and nobody is stored twice under two keys")
  func renewal() async throws {
    try await Harness.run { root in
      let rings = try UpkeepTests.Rings(root)
      let harness = root.sharing(try rings.keys())
      let names = try await harness.plantTree()
      let chief = Caller.staff(names["xiangshan"] ?? "")
      let list = try await harness.makeList(as: chief)
      let rows = (1...3).map { Self.row($0) }
      #expect(try await harness.fill(list, rows, as: chief) == 3)
      for ring in ["fields", "hashes"] {
        try rings.change(ring) { $0.adding(at: harness.clock.now) }
      }
      for (_, ring) in harness.keys.rings { try ring.reload() }
      #expect(try await harness.fill(list, rows, as: chief) == 0)
      _ = try await harness.service.renewKeys(report: UpkeepTests.quiet)
      _ = try await harness.database.purgeRequests(before: harness.clock.now + 1)
      for ring in ["fields", "hashes"] { try rings.change(ring) { $0.keepingLast(1) } }
      for (_, ring) in harness.keys.rings { try ring.reload() }
      #expect(try await harness.fill(list, rows, as: chief) == 0)
      let entry = try #require(try await harness.entries(list, as: chief).first)
      #expect(try await harness.reveal(entry, as: chief).phone.hasPrefix("+86138"))
    }
  }

  @Test("nobody is stored twice while replicas load a new key at different times")
  func replicas() async throws {
    try await Harness.run { root in
      let rings = try UpkeepTests.Rings(root)
      let older = root.sharing(try rings.keys())
      let names = try await older.plantTree()
      let chief = Caller.staff(names["xiangshan"] ?? "")
      let list = try await older.makeList(as: chief)
      try rings.change("hashes") { $0.adding(at: root.clock.now) }
      let newer = root.sharing(try rings.keys())
      #expect(try await newer.fill(list, [Self.row(1)], as: chief) == 1)
      #expect(try await older.fill(list, [Self.row(1), Self.row(2)], as: chief) == 1)
      _ = try await newer.service.renewKeys(report: UpkeepTests.quiet)
      #expect(try await older.fill(list, [Self.row(1), Self.row(2)], as: chief) == 0)
      // A person erased by one replica is erased under every key.
      let member = try await older.submit(Applicant.application(1), as: .administrator).member
      // The person is stored under the older key, the entry under both.
      #expect(try await newer.progress(list, as: chief) == [.open: 1, .joined: 1])
      _ = try await older.erase(member, as: .member(member))
      #expect(try await newer.progress(list, as: chief) == [.open: 1])
    }
  }

  @Test("concurrent comparisons store everybody once, and a list closed meanwhile stays closed")
  func race() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let chief = Caller.staff(names["xiangshan"] ?? "")
      let list = try await harness.makeList(as: chief)
      let added = try await withThrowingTaskGroup(of: Int64.self) { group in
        for part in 0..<4 {
          group.addTask {
            try await harness.fill(
              list, (part * 10...part * 10 + 19).map { Self.row($0) }, as: chief)
          }
        }
        return try await group.reduce(0, +)
      }
      #expect(added == 50)
      #expect(try await harness.progress(list, as: chief) == [.open: 50])
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { _ = try await harness.close(list, as: chief) }
        group.addTask {
          _ = try await TransferTests.unless(["OUTREACH_STATE"]) {
            _ = try await harness.fill(list, (60...90).map { Self.row($0) }, as: chief)
          }
        }
        try await group.waitForAll()
      }
      let left = try await harness.database.read(
        Query<Int>.one("SELECT count(*) AS n FROM outreach_entries") { try $0.int("n") })
      #expect(left == 0)
    }
  }
}

extension Harness {
  func makeList(
    as caller: Caller, requestID: String = UUID().uuidString
  ) async throws -> String {
    var request = CreateOutreachListRequest()
    request.requestID = requestID
    request.displayName = "货车司机上门动员"
    request.means = .visit
    return try await client(caller).createOutreachList(request).outreachList?.name ?? ""
  }

  /// Compares a roster with an outreach list; returns how many people were added.
  func fill(
    _ list: String, _ rows: [RosterRow], as caller: Caller
  ) async throws -> Int64 {
    let call = try await client(caller).compareRoster()
    async let sending: Void = {
      var header = RosterHeader()
      header.purpose = "从业资格证名册比对"
      header.outreachList = list
      try await call.send(.with { $0.part = .header(header) })
      try await call.send(.with { $0.part = .rows(.with { $0.rows = rows }) })
      try await call.finishSending()
    }()
    var added: Int64 = 0
    for try await response in call.responses {
      if case .summary(let summary)? = response.part { added = summary.outreachAdded }
    }
    try await sending
    return added
  }

  func entries(
    _ list: String, _ states: [OutreachState] = [], as caller: Caller
  ) async throws -> [OutreachEntry] {
    var request = ListOutreachEntriesRequest()
    request.list = list
    request.states = states
    request.pageSize = 3
    var entries: [OutreachEntry] = []
    repeat {
      let page = try await client(caller).listOutreachEntries(request)
      entries += page.entries
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return entries
  }

  fileprivate func progress(
    _ list: String, as caller: Caller
  ) async throws -> [OutreachState: Int64] {
    var request = GetOutreachListRequest()
    request.name = list
    let counts = try await client(caller).getOutreachList(request).outreachList?.counts ?? []
    return Dictionary(uniqueKeysWithValues: counts.map { ($0.state, $0.people) })
  }

  fileprivate func lists(as caller: Caller) async throws -> [OutreachList] {
    try await client(caller).listOutreachLists(ListOutreachListsRequest()).outreachLists
  }

  fileprivate func reveal(
    _ entry: OutreachEntry, as caller: Caller
  ) async throws -> OutreachContact {
    var request = RevealOutreachEntryRequest()
    request.name = entry.name
    request.reason = "上门动员入会"
    return try await client(caller).revealOutreachEntry(request).contact ?? OutreachContact()
  }

  fileprivate func record(
    _ entry: OutreachEntry, _ state: OutreachState, as caller: Caller
  ) async throws -> OutreachEntry {
    var request = RecordOutreachRequest()
    request.requestID = UUID().uuidString
    request.name = entry.name
    request.etag = entry.etag
    request.state = state
    return try await client(caller).recordOutreach(request).entry ?? OutreachEntry()
  }

  fileprivate func close(_ list: String, as caller: Caller) async throws -> OutreachList {
    var request = CloseOutreachListRequest()
    request.requestID = UUID().uuidString
    request.name = list
    return try await client(caller).closeOutreachList(request).outreachList ?? OutreachList()
  }

  fileprivate func audited(_ action: String) async throws -> Int {
    try await database.read(
      Query<Int>.one("SELECT count(*) AS n FROM storage_audit WHERE action = ?1", [action]) {
        try $0.int("n")
      })
  }
}
