import GoogleProtobuf
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Streams all that is stored of a person, in full. The audit entry is durable before the data
  /// leaves.
  public func exportPersonalData(
    _ request: ExportPersonalDataRequest, responses: ResponseWriter<ExportPersonalDataResponse>,
    context: ServerContext
  ) async throws {
    let caller = try context.caller
    var checks = FieldChecks()
    let id = checks.take { () throws(FieldFailure) in try caller.member(named: request.name) }
    let reason = checks.take { () throws(FieldFailure) in
      try caller.checked(reason: request.reason)
    }
    try checks.check()
    let (scope, known) = try await database.read(
      StaffScope.query(of: caller), MemberStore.byID(id ?? ""))
    guard let known, !known.person.isErased, caller.actsFor(known, scope) else {
      throw MembersError.memberNotFound
    }
    let entry = AuditEntry(
      actor: caller.subject, action: "members.export", target: "members/\(known.member.id)",
      reason: reason ?? "")
    try await database.write(Commit(at: clock.now, audit: [entry]))
    let key = try keys.personKey(of: known.person)
    try await responses.send(.with { $0.part = .record(try known.record(keys, key)) })
    try await sendApplications(of: known.person.id, key, responses)
    try await sendHistory(of: known.member.id, key, responses)
    try await sendNotes(of: known, key, responses)
  }

  private func sendApplications(
    of person: String, _ key: PersonKey, _ responses: ResponseWriter<ExportPersonalDataResponse>
  ) async throws {
    for application in try await database.read(PersonalDataStore.applications(of: person)) {
      var message = application.message
      message.application = try EnrollmentApplication(
        wireBytes: key.open(
          application.sealed, table: EnrollmentStore.table, column: "application"))
      try await responses.send(.with { $0.part = .application(message) })
    }
  }

  private func sendHistory(
    of member: String, _ key: PersonKey, _ responses: ResponseWriter<ExportPersonalDataResponse>
  ) async throws {
    var after: Int64 = 0
    while true {
      let page = try await database.read(
        MembershipLog.page(of: member, after: .integer(after), limit: PageSize.max))
      for var entry in page {
        // Who works at the union is none of the person's data.
        if entry.actor != "members/\(member)" { entry.actor = "" }
        try await responses.send(.with { $0.part = .log(entry) })
      }
      guard page.count == PageSize.max, let last = page.last else { break }
      after = last.version
    }
    let (cases, transfers, corrections) = try await database.read(
      PoolCaseStore.all(of: member), TransferStore.all(of: member),
      CorrectionStore.all(of: member))
    for one in cases {
      try await responses.send(.with { $0.part = .poolCase(one.message(one.poolCase)) })
    }
    for one in transfers {
      try await responses.send(.with { $0.part = .transfer(one.message(one.transfer)) })
    }
    for one in corrections {
      var message = one.correction.message
      message.data = try one.correction.openData(key)
      try await responses.send(.with { $0.part = .correction(message) })
    }
  }

  /// What is kept about the person beside the membership.
  private func sendNotes(
    of known: KnownMember, _ key: PersonKey,
    _ responses: ResponseWriter<ExportPersonalDataResponse>
  ) async throws {
    let hashes = try keys.hashes(of: try keys.personalData(of: known.person)).residentID
    let (reports, honors, entries) = try await database.read(
      AwayStore.all(of: known.member.id),
      HonorStore.of(known.member.id, limit: PageSize.max), OutreachStore.all(of: hashes))
    for placed in reports {
      var message = PersonalAwayReport()
      message.report = placed.report.message
      message.details = try AwayDetails(
        wireBytes: key.open(placed.report.details, table: AwayStore.table, column: "details"))
      let part = message
      try await responses.send(.with { $0.part = .awayReport(part) })
    }
    for honor in honors { try await responses.send(.with { $0.part = .honor(honor.message) }) }
    for entry in entries {
      var message = PersonalOutreach()
      message.entry = entry.message
      message.contact = try keys.contact(of: entry)
      message.contact?.residentIDSHA256 = []
      let part = message
      try await responses.send(.with { $0.part = .outreach(part) })
    }
  }
}

extension KnownMember {
  /// The person and the membership, in full.
  fileprivate func record(_ keys: MembersKeys, _ key: PersonKey) throws -> PersonalRecord {
    let data = try keys.personalData(of: person)
    var record = PersonalRecord()
    record.personName = data.name
    record.residentID = data.residentID
    record.phone = data.phone
    record.code = try key.openText(member.code, table: MemberStore.table, column: "code")
    record.details = try member.openDetails(key)
    record.membership = member.summary
    return record
  }
}
