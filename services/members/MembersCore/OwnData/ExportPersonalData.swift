import GoogleProtobuf
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Streams all stored data of a person in full. The audit entry is durable before the data are
  /// sent.
  public func exportPersonalData(
    _ request: ExportPersonalDataRequest, responses: ResponseWriter<ExportPersonalDataResponse>,
    context: ServerContext
  ) async throws {
    let caller = try context.caller
    var checks = FieldChecks()
    let subject = checks.take { () throws(FieldFailure) in
      try caller.dataSubject(named: request.name)
    }
    let reason = checks.take { () throws(FieldFailure) in
      try caller.checked(reason: request.reason)
    }
    let found = try checks.finish(subject, reason)
    let (records, target) = try await records(of: found.0, for: caller)
    let entry = AuditEntry(
      actor: caller.subject, action: "members.export", target: target, reason: found.1)
    try await database.write(Commit(at: clock.now, audit: [entry]))
    for (person, known) in records {
      let key = try keys.personKey(of: person)
      let data = try keys.personalData(of: person)
      try await responses.send(.with { $0.part = .record(try data.record(of: known, key)) })
      try await sendApplications(of: person.id, key, responses)
      if let known { try await sendHistory(of: known.member.id, key, responses) }
      // The honors of a member include those of merged records.
      if let known, person.id == records.first?.person.id {
        try await sendHonors(of: known.member.id, responses)
      }
      try await sendOutreach(try keys.hashes(of: data).residentID, responses)
    }
  }

  /// Returns the person's records, with those merged into the first one after it, and the target
  /// for the audit log.
  private func records(
    of subject: DataSubject, for caller: Caller
  ) async throws -> (records: [(person: StoredPerson, known: KnownMember?)], target: String) {
    let scope = StaffScope.query(of: caller)
    switch subject {
    case .member(let id):
      let (held, known, ids) = try await database.read(
        scope, MemberStore.byID(id), DuplicateStore.merged(into: id))
      guard let known, !known.person.isErased, caller.actsFor(known, held) else {
        throw MembersError.memberNotFound
      }
      var records = [known]
      for merged in ids {
        if let merged = try await database.read(MemberStore.byID(merged)) {
          records.append(merged)
        }
      }
      return (
        records.filter { !$0.person.isErased }.map { ($0.person, $0) }, "members/\(id)"
      )
    case .applicant(let id):
      let (held, placed, known) = try await database.read(
        scope, EnrollmentStore.byID(id), MemberStore.applicant(of: id))
      let person = try KnownPerson.applicant(known, of: placed, in: held)
      return ([(person, nil)], "enrollments/\(id)")
    }
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
        // The identity of the union's staff is not part of the person's data.
        if entry.actor != "members/\(member)" { entry.actor = "" }
        try await responses.send(.with { $0.part = .log(entry) })
      }
      guard page.count == PageSize.max, let last = page.last else { break }
      after = last.version
    }
    let (cases, transfers, corrections, reports) = try await database.read(
      PoolCaseStore.all(of: member), TransferStore.all(of: member),
      CorrectionStore.all(of: member), AwayStore.all(of: member))
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
    for placed in reports {
      var message = PersonalAwayReport()
      message.report = placed.report.message
      message.details = try AwayDetails(
        wireBytes: key.open(placed.report.details, table: AwayStore.table, column: "details"))
      let part = message
      try await responses.send(.with { $0.part = .awayReport(part) })
    }
  }

  private func sendHonors(
    of member: String, _ responses: ResponseWriter<ExportPersonalDataResponse>
  ) async throws {
    for honor in try await database.read(HonorStore.of(member, limit: PageSize.max)) {
      try await responses.send(.with { $0.part = .honor(honor.message) })
    }
  }

  /// Sends the entries of outreach lists from before the person joined.
  private func sendOutreach(
    _ hashes: [KeyedHash.Candidate], _ responses: ResponseWriter<ExportPersonalDataResponse>
  ) async throws {
    for entry in try await database.read(OutreachStore.all(of: hashes)) {
      var message = PersonalOutreach()
      message.entry = entry.message
      message.contact = try keys.contact(of: entry)
      message.contact?.residentIDSHA256 = []
      let part = message
      try await responses.send(.with { $0.part = .outreach(part) })
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
    return record
  }
}
