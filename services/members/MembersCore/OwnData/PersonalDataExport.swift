import GoogleProtobuf
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import YijiaTypeV1

/// Sends all that is stored about a person, record by record. `PersonalDataTableTests` lists the
/// part of every table, or the reason why it has none.
struct PersonalDataExport: Sendable {
  let database: any Database
  let keys: MembersKeys
  let language: Language
  let responses: ResponseWriter<ExportPersonalDataResponse>

  /// Sends one record with everything that belongs to it.
  ///
  /// - Parameter isFirst: Whether it is the record that others are merged into.
  func send(_ person: StoredPerson, _ known: KnownMember?, isFirst: Bool) async throws {
    let key = try keys.personKey(of: person)
    let data = try keys.personalData(of: person)
    var record = try data.record(of: known, key)
    if let id = known?.member.id {
      let (day, unit) = try await database.read(
        PersonalDataStore.confirmDay(of: id), PersonalDataStore.unit(of: id))
      record.confirmDate = day.map { .day($0) }
      record.unit = unit.map { "units/\($0)" } ?? ""
    }
    try await send(.record(record))
    try await sendApplications(of: person.id, key)
    if let id = known?.member.id {
      try await sendLog(of: id)
      try await sendHistory(of: id, key)
    }
    // The honors of a member include those of merged records.
    if let id = known?.member.id, isFirst { try await sendHonors(of: id) }
    try await sendOutreach(try keys.hashes(of: data).residentID)
    for duplicate in try await database.read(PersonalDataStore.duplicates(of: person.id)) {
      try await send(.duplicate(duplicate))
    }
    for merge in try await database.read(PersonalDataStore.merges(of: person.id)) {
      try await send(.merge(merge))
    }
  }

  private func send(_ part: ExportPersonalDataResponse.Part) async throws {
    try await responses.send(.with { $0.part = part })
  }

  private func sendApplications(of person: String, _ key: PersonKey) async throws {
    for placed in try await database.read(EnrollmentStore.all(of: person)) {
      let enrollment = placed.enrollment
      var message = PersonalApplication()
      message.name = "enrollments/\(enrollment.id)"
      message.state = enrollment.state
      message.createTime = Timestamp(microseconds: enrollment.created)
      message.application = try EnrollmentApplication(
        wireBytes: key.open(
          placed.application, table: EnrollmentStore.table, column: "application"))
      message.enrollment = enrollment.message(in: language)
      try await send(.application(message))
    }
  }

  private func sendLog(of member: String) async throws {
    var after: Int64 = 0
    while true {
      let page = try await database.read(
        MembershipLog.page(of: member, after: .integer(after), limit: PageSize.max))
      for var entry in page {
        // The identity of the union's staff is not part of the person's data.
        if entry.actor != "members/\(member)" { entry.actor = "" }
        try await send(.log(entry))
      }
      guard page.count == PageSize.max, let last = page.last else { return }
      after = last.version
    }
  }

  private func sendHistory(of member: String, _ key: PersonKey) async throws {
    let (cases, transfers, corrections, reports, records) = try await database.read(
      PoolCaseStore.all(of: member), TransferStore.all(of: member),
      CorrectionStore.all(of: member), AwayStore.all(of: member),
      PersonalDataStore.refreshRecords(of: member))
    for one in cases {
      try await send(.poolCase(one.message(one.poolCase)))
      let entries = PersonalDataStore.entries(ofPoolCase: one.poolCase.id)
      for entry in try await database.read(entries) { try await send(.poolCaseEntry(entry)) }
    }
    for one in transfers { try await send(.transfer(one.message(one.transfer))) }
    for one in corrections {
      var message = one.correction.message
      message.data = try one.correction.openData(key)
      try await send(.correction(message))
    }
    for placed in reports {
      var message = PersonalAwayReport()
      message.report = placed.report.message
      message.details = try AwayDetails(
        wireBytes: key.open(placed.report.details, table: AwayStore.table, column: "details"))
      try await send(.awayReport(message))
    }
    for record in records { try await send(.refreshRecord(record)) }
  }

  private func sendHonors(of member: String) async throws {
    var after = HonorStore.start
    while true {
      let page = try await database.read(
        HonorStore.of(member, after: after, limit: PageSize.max))
      for honor in page { try await send(.honor(honor.message)) }
      guard page.count == PageSize.max, let last = page.last else { return }
      after = ListPlace(number: Int64(last.day), id: last.sourceEvent)
    }
  }

  /// Sends the entries of outreach lists from before the person joined.
  private func sendOutreach(_ hashes: [KeyedHash.Candidate]) async throws {
    for entry in try await database.read(OutreachStore.all(of: hashes)) {
      var message = PersonalOutreach()
      message.entry = entry.message
      message.contact = try keys.contact(of: entry)
      message.contact?.residentIDSHA256 = []
      try await send(.outreach(message))
    }
  }
}

extension PersonalData {
  /// Returns the person and the membership, in full.
  fileprivate func record(of known: KnownMember?, _ key: PersonKey) throws -> PersonalRecord {
    var record = PersonalRecord()
    record.personName = name
    record.residentID = residentID
    record.phone = phone
    guard let known else { return record }
    record.code = try key.openText(known.member.code, table: MemberStore.table, column: "code")
    record.details = try known.member.openDetails(key)
    record.membership = known.member.summary
    record.channel = known.member.channel
    record.campaign = known.member.campaign
    return record
  }
}
