import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("A person's own data", .timeLimit(.minutes(5)))
struct PersonalDataTests {
  @Test("every input in every state of a correction has the result of the table")
  func correctionStates() {
    let table: [(CorrectionState, [CorrectionState?])] = [
      (.unspecified, [nil, nil, nil, nil]),
      (.requested, [.accepted, .declined, .cancelled, nil]),
      (.accepted, [nil, nil, nil, nil]), (.declined, [nil, nil, nil, nil]),
      (.cancelled, [nil, nil, nil, .requested]),
    ]
    #expect(Set(table.map(\.0)) == Set(CorrectionState.allCases))
    for (state, outcomes) in table {
      for (input, outcome) in zip(CorrectionProgress.Input.allCases, outcomes) {
        var progress = CorrectionProgress(state)
        do throws(MembersError) {
          try progress.apply(input)
          #expect(progress.state == outcome)
        } catch {
          #expect(error == .correctionState)
          #expect(outcome == nil && progress.state == state)
        }
      }
    }
  }

  @Test("a member reads their own membership; of a merged record, the survivor's")
  func own() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let newer = try await harness.submit(
        Applicant.application(2) { $0.phone = Applicant.phone(1) }, as: .administrator
      ).member
      let mine = try await harness.client(.member(member)).getMyMembership(
        GetMyMembershipRequest())
      #expect(mine.member?.name == member)
      #expect(mine.member?.phoneMasked == "138****0001")
      #expect(mine.managingOrganizationName == "渠沟镇总工会")
      #expect(mine.code.hasPrefix("YJM-"))
      #expect(mine.codeSvg.contains("<svg "))
      let asked = try await harness.ask(names["drivers"] ?? "", as: .member(member))
      let duplicate = try await harness.duplicates(as: .administrator)[0]
      _ = try await harness.judge(duplicate.name, survivor: member, as: .administrator)
      let merged = try await harness.client(.member(newer)).getMyMembership(
        GetMyMembershipRequest())
      #expect(merged.member?.name == member)
      let again = try await harness.client(.member(member)).getMyMembership(
        GetMyMembershipRequest())
      #expect(again.transfer?.name == asked.name)
    }
  }

  @Test("an accepted correction changes the data and the look-up hashes")
  func corrected() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let me = Caller.member(member)
      var data = CorrectedData()
      data.personName = "欧阳文"
      data.residentID = Applicant.residentID(7)
      let asked = try await harness.correct(data, as: me)
      #expect(asked.state == .requested)
      #expect(asked.data == nil, "what is remembered holds no personal data")
      #expect(try await refusal { try await harness.correct(data, as: me) } == "CORRECTION_OPEN")
      let listed = try await harness.corrections(as: .administrator)
      #expect(listed.map(\.data?.personName) == ["欧**"])
      #expect(try await harness.corrections(as: me) == listed)
      let decided = try await harness.decide(asked.name, accept: true)
      #expect(decided.state == .accepted)
      #expect(
        try await refusal { try await harness.decide(asked.name, accept: false) }
          == "CORRECTION_STATE")
      for (id, count) in [(1, 0), (7, 1)] {
        var request = ListMembersRequest()
        request.residentID = Applicant.residentID(id)
        let found = try await harness.client(.administrator).listMembers(request).members
        #expect(found.count == count)
      }
      // The former resident ID is free; that of another person is not available.
      let other = try await harness.submit(Applicant.application(1), as: .administrator).member
      #expect(other != member)
      let taken = try await harness.correct(data, as: .member(other))
      #expect(
        try await refusal { try await harness.decide(taken.name, accept: true) }
          == "RESIDENT_ID_TAKEN")
      #expect(try await harness.decide(taken.name, accept: false).state == .declined)
      data.residentID = "340603"
      #expect(
        try await refusal { try await harness.correct(data, as: me) }
          == "INVALID_FIELDS data.resident_id=INVALID_ID")
      #expect(try await harness.countsAgree())
      let bytes = try await harness.storedBytes()
      #expect(bytes.allSatisfy { $0.range(of: Data("欧阳文".utf8)) == nil }, "sealed")
    }
  }

  @Test("the resident ID of a record merged into one's own stays that record's")
  func correctedToMerged() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let merged = try await harness.submit(
        Applicant.application(2) { $0.phone = Applicant.phone(1) }, as: .administrator
      ).member
      let duplicate = try await harness.duplicates(as: .administrator)[0]
      _ = try await harness.judge(duplicate.name, survivor: member, as: .administrator)
      var data = CorrectedData()
      data.residentID = Applicant.residentID(2)
      let asked = try await harness.correct(data, as: .member(member))
      #expect(
        try await refusal { try await harness.decide(asked.name, accept: true) }
          == "RESIDENT_ID_TAKEN")
      #expect(try await harness.decide(asked.name, accept: false).state == .declined)
      _ = try await harness.undo(duplicate.name, as: .administrator)
      var request = ListMembersRequest()
      request.residentID = Applicant.residentID(2)
      let found = try await harness.client(.administrator).listMembers(request).members
      #expect(found.map(\.name) == [merged])
    }
  }

  @Test("of concurrent correction requests, each sent twice, one is open")
  func concurrentCorrections() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let asked = try await withThrowingTaskGroup(of: Correction?.self) { group in
        for turn in 0..<8 {
          let id = UUID().uuidString
          var data = CorrectedData()
          data.phone = Applicant.phone(50 + turn)
          let asked = data
          for _ in 0..<2 {
            group.addTask {
              try await TransferTests.unless(["CORRECTION_OPEN"]) {
                try await harness.correct(asked, as: .member(member), requestID: id)
              }
            }
          }
        }
        return try await group.reduce(into: []) { $0 += [$1].compactMap { $0 } }
      }
      #expect(asked.count == 2)
      #expect(Set(asked).count == 1)
      #expect(try await harness.corrections(as: .administrator).count == 1)
    }
  }

  @Test("an export has all of a person's data, and is audited before it is returned")
  func exported() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await harness.submit(PoolTests.pooled(1), as: .administrator).member
      let me = Caller.member(member)
      _ = try await harness.ask(names["drivers"] ?? "", as: me)
      var data = CorrectedData()
      data.phone = "13912345678"
      _ = try await harness.correct(data, as: me)
      var away = ReportAwayRequest()
      (away.requestID, away.departureDate, away.returnDate) =
        (UUID().uuidString, .day(20_800), .day(21_000))
      away.details = .with { ($0.destination, $0.contact) = ("新疆乌鲁木齐", "13900000000") }
      _ = try await harness.client(me).reportAway(away)
      var honor = RecordHonorRequest()
      honor.honor = .with {
        ($0.member, $0.sourceEvent, $0.title, $0.date) = (member, "titles/1", "技术能手", .day(20_700))
      }
      _ = try await harness.client(.service("contests")).recordHonor(honor)
      let parts = try await harness.export("", as: me)
      guard case .record(let record)? = parts.first?.part else {
        throw Unexpected("the record is not first")
      }
      #expect(record.residentID == Applicant.residentID(1))
      #expect(record.phone == "+8613800000001")
      let words = parts.compactMap { part in
        switch part.part {
        case .record: "record"
        case .application(let one): "application \(one.application?.residentID ?? "")"
        case .log(let entry): "log \(entry.action)"
        case .poolCase(let one): "case \(one.state)"
        case .transfer(let one): "transfer \(one.state)"
        case .correction(let one): "correction \(one.data?.phone ?? "")"
        case .awayReport(let one): "away \(one.details?.destination ?? "")"
        case .honor(let one): "honor \(one.title)"
        case .outreach(let one): "outreach \(one.contact?.phone ?? "")"
        case .poolCaseEntry(let entry): "entry \(entry.action)"
        case .refreshRecord(let one): "round \(one.round)"
        case .duplicate(let one): "duplicate \(one.state)"
        case .merge(let one): "merge \(one.merged)"
        case nil: nil as String?
        }
      }
      #expect(
        words == [
          "record", "application \(Applicant.residentID(1))",
          "log \(MembershipAction.joined)", "case \(PoolCaseState.waiting)",
          "entry OPENED", "transfer \(TransferState.requested)", "correction +8613912345678",
          "away 新疆乌鲁木齐", "honor 技术能手",
        ])
      #expect(try await harness.audit(action: "members.export") == ["\(member) \(member) "])
      #expect(
        try await refusal { try await harness.export(member, as: .member("members/\(hexID(3))")) }
          == "MEMBER_NOT_FOUND")
      #expect(try await harness.audit(action: "members.export").count == 1)
    }
  }

  @Test("an erased person leaves a tombstone that nothing leads to, and may join as a new person")
  func erased() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await harness.submit(PoolTests.pooled(1), as: .administrator).member
      let twin = try await harness.submit(
        Applicant.application(2) { $0.phone = Applicant.phone(1) }, as: .administrator
      ).member
      let duplicate = try await harness.duplicates(as: .administrator)[0]
      _ = try await harness.judge(duplicate.name, survivor: member, as: .administrator)
      let me = Caller.member(member)
      _ = try await harness.ask(names["drivers"] ?? "", as: me)
      var data = CorrectedData()
      data.phone = "13912345678"
      _ = try await harness.correct(data, as: me)
      #expect(
        try await refusal { try await harness.erase("", as: .member(twin)) } == "MEMBERSHIP_STATE")
      let traces =
        try await harness.traces(of: PoolTests.pooled(1))
        + harness.traces(of: Applicant.application(2) { $0.phone = Applicant.phone(1) })
        + ["13912345678"].map { Array($0.utf8) }
      #expect(try await harness.places(of: traces).contains("persons.wrapped_key"))
      let id = UUID().uuidString
      let tombstone = try await harness.erase("", as: me, requestID: id)
      #expect(tombstone.state == .left)
      #expect(try await harness.places(of: traces) == [])
      // Whoever follows the feed learns whom to forget, by the codes of before.
      var told: [String: MembershipChanged] = [:]
      for event in try await harness.events(as: .service("stations")) {
        guard case .membershipChanged(let change)? = event.event, change.erased else { continue }
        #expect(event.entityVersion > 1 && change.codeSHA256.count == 32)
        told[change.member] = change
      }
      #expect(told.mapValues(\.state) == [member: .left, twin: .merged])
      let corrections = try await harness.events("correction.changed")
      #expect(
        try corrections.map { try CorrectionChanged(wireBytes: $0.payload).state }
          == [.requested, .cancelled])
      #expect(told[twin]?.survivor == member)
      #expect(told[twin]?.codeSHA256 != told[member]?.codeSHA256)
      #expect(try await harness.erase("", as: me, requestID: id) == tombstone, "a replay")
      #expect(try await refusal { try await harness.erase("", as: me) } == "MEMBER_NOT_FOUND")
      #expect(try await refusal { try await harness.export("", as: me) } == "MEMBER_NOT_FOUND")
      var get = GetMemberRequest()
      get.name = member
      let left = try await harness.client(.administrator).getMember(get).member
      #expect(left?.personNameMasked == "")
      #expect(left?.residentIDMasked == "")
      #expect(left?.phoneMasked == "")
      #expect(
        try await refusal { try await harness.undo(duplicate.name, as: .administrator) }
          == "DUPLICATE_STATE")
      try await Self.expectNothingSealed(harness)
      #expect(try await harness.poolCases(as: .administrator).isEmpty)
      #expect(try await harness.transfers(as: .administrator).isEmpty)
      #expect(try await harness.corrections(as: .administrator).isEmpty)
      #expect(try await harness.duplicates(as: .administrator).isEmpty)
      let anew = try await harness.submit(Applicant.application(1), as: .administrator)
      #expect(anew.member != member)
      #expect(anew.state == .admitted)
      #expect(try await harness.members().count == 1)
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
      #expect(try await harness.database.verifyAudit().problem == nil)
    }
  }

  private static func expectNothingSealed(_ harness: Harness) async throws {
    let hashes = try await harness.database.read(
      Query<Int>.one("SELECT count(*) AS n FROM person_hashes") { try $0.int("n") })
    #expect(hashes == 0)
    let sealed = try await harness.database.read(
      Query<Int>.one(
        """
        SELECT count(*) AS n FROM persons AS p JOIN enrollments AS e ON e.person_id = p.id
        WHERE p.wrapped_key IS NOT NULL OR length(p.person_name) + length(p.resident_id)
          + length(p.phone) + length(e.application) > 0
        """
      ) { try $0.int("n") })
    #expect(sealed == 0)
  }

  @Test("a correction and an erasure leave no hash under a key that only other replicas loaded")
  func newerKeys() async throws {
    try await Harness.run { root in
      let rings = try UpkeepTests.Rings(root)
      let older = root.sharing(try rings.keys())
      _ = try await older.plantTree()
      let member = try await older.submit(Applicant.application(1), as: .administrator).member
      try rings.change("hashes") { $0.adding(at: root.clock.now) }
      let newer = root.sharing(try rings.keys())
      _ = try await newer.service.renewKeys(report: UpkeepTests.quiet)
      let hashes = Query<Int>.one("SELECT count(*) AS n FROM person_hashes") { try $0.int("n") }
      #expect(try await root.database.read(hashes) == 6)
      var data = CorrectedData()
      data.phone = Applicant.phone(60)
      let correction = try await older.correct(data, as: .member(member))
      _ = try await older.decide(correction.name, accept: true)
      #expect(try await root.database.read(hashes) == 6)
      let gone = newer.keys.phones.keyed("+86" + Applicant.phone(1)).map(\.digest)
      for digest in gone {
        let isLeft = Query<Bool>.exists("SELECT hash FROM person_hashes WHERE hash = ?1", [digest])
        #expect(try await !root.database.read(isLeft))
      }
    }
    try await Harness.run { root in
      let rings = try UpkeepTests.Rings(root)
      let older = root.sharing(try rings.keys())
      _ = try await older.plantTree()
      try rings.change("hashes") { $0.adding(at: root.clock.now) }
      let newer = root.sharing(try rings.keys())
      let member = try await newer.submit(Applicant.application(1), as: .administrator).member
      _ = try await older.erase("", as: .member(member))
      let hashes = Query<Int>.one("SELECT count(*) AS n FROM person_hashes") { try $0.int("n") }
      #expect(try await root.database.read(hashes) == 0)
    }
  }

  @Test("a person erased during another application is a new person")
  func erasedMeanwhile() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      _ = try await harness.leave(member, as: .member(member))
      let racing = harness.replica(
        RacingDatabase(harness.database) {
          _ = try await harness.erase(member, as: .member(member))
        })
      let anew = try await racing.submit(Applicant.application(1), as: .administrator)
      #expect(anew.member != member)
      #expect(try await harness.members().map(\.name) == [anew.member])
    }
  }

  @Test("concurrent erasures, corrections and key renewals leave nothing of an erased person")
  func concurrentErasures() async throws {
    try await Harness.run { root in
      let rings = try UpkeepTests.Rings(root)
      let harness = root.sharing(try rings.keys())
      _ = try await harness.plantTree()
      for number in 1...4 {
        if number == 2 {
          // From here on everything is re-encrypted and rehashed concurrently.
          for ring in ["fields", "hashes"] {
            try rings.change(ring) { $0.adding(at: harness.clock.now) }
          }
          for (_, ring) in harness.keys.rings { try ring.reload() }
        }
        let member = try await harness.submit(Applicant.application(number), as: .administrator)
          .member
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask {
            _ = try await harness.service.renewKeys(report: UpkeepTests.quiet)
          }
          for turn in 0..<4 {
            group.addTask {
              _ = try await TransferTests.unless(["MEMBER_NOT_FOUND"]) {
                try await harness.erase("", as: .member(member))
              }
            }
            group.addTask {
              var data = CorrectedData()
              data.phone = Applicant.phone(60 + turn)
              let asked = data
              _ = try await TransferTests.unless([
                "MEMBER_NOT_FOUND", "CORRECTION_OPEN", "CORRECTION_NOT_FOUND", "CORRECTION_STATE",
              ]) {
                let correction = try await harness.correct(asked, as: .member(member))
                _ = try await harness.decide(correction.name, accept: true)
              }
            }
          }
          try await group.waitForAll()
        }
      }
      for table in ["person_hashes", "open_corrections", "open_transfers"] {
        let left = try await harness.database.read(
          Query<Int>.one("SELECT count(*) AS n FROM \(table)") { try $0.int("n") })
        #expect(left == 0, "\(table)")
      }
      let data = try await harness.database.read(
        Query<Int>.one("SELECT count(*) AS n FROM corrections WHERE length(data) > 0") {
          try $0.int("n")
        })
      #expect(data == 0)
      let kept = try await harness.database.read(
        Query<Int>.one("SELECT count(*) AS n FROM persons WHERE wrapped_key IS NOT NULL") {
          try $0.int("n")
        })
      #expect(kept == 0, "no key came back")
      #expect(try await harness.members().isEmpty)
      #expect(try await harness.countsAgree())
    }
  }
}

extension Harness {
  func correct(
    _ data: CorrectedData, as caller: Caller, requestID: String = UUID().uuidString
  ) async throws -> Correction {
    var request = RequestCorrectionRequest()
    request.requestID = requestID
    request.data = data
    return try await client(caller).requestCorrection(request).correction ?? Correction()
  }

  func corrections(as caller: Caller) async throws -> [Correction] {
    try await client(caller).listCorrections(ListCorrectionsRequest()).corrections
  }

  func decide(_ name: String, accept: Bool) async throws -> Correction {
    var request = DecideCorrectionRequest()
    request.requestID = UUID().uuidString
    request.name = name
    request.accept = accept
    request.reason = "核对证件"
    return try await client(.administrator).decideCorrection(request).correction ?? Correction()
  }

  func export(
    _ name: String, as caller: Caller, reason: String = ""
  ) async throws -> [ExportPersonalDataResponse] {
    var request = ExportPersonalDataRequest()
    (request.name, request.reason) = (name, reason)
    var parts: [ExportPersonalDataResponse] = []
    for try await part in try await client(caller).exportPersonalData(request) {
      parts.append(part)
    }
    return parts
  }

  func erase(
    _ name: String, as caller: Caller, requestID: String = UUID().uuidString, reason: String = ""
  ) async throws -> MembershipSummary {
    var request = ErasePersonalDataRequest()
    request.requestID = requestID
    (request.name, request.reason) = (name, reason)
    return try await client(caller).erasePersonalData(request).membership ?? MembershipSummary()
  }
}
