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
    let export = PersonalDataExport(
      database: database, keys: keys, language: context.language, responses: responses)
    for (person, known) in records {
      try await export.send(person, known, isFirst: person.id == records.first?.person.id)
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
}
