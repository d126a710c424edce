public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Accepts a correction, which updates the data and the hashes by which the person is found, or
  /// declines it.
  public func decideCorrection(
    _ request: DecideCorrectionRequest, context: ServerContext
  ) async throws -> DecideCorrectionResponse {
    let caller = try context.caller
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    let id = checks.resource(request.name, of: "corrections", "name")
    let reason = checks.take { () throws(FieldFailure) in
      try caller.checked(reason: request.reason)
    }
    try checks.check()
    let now = clock.now
    let act = Act(actor: caller.subject, now: now)
    let (keys, etag, isAccepted) = (keys, request.etag, request.accept)
    let caseIDs = DuplicateCase.ids(from: ids.next())
    let audit = AuditEntry(
      actor: caller.subject, action: isAccepted ? "corrections.accept" : "corrections.decline",
      target: request.name, reason: reason ?? "")
    let bytes = try await writeOnce(
      requestID ?? "", payload: try payload.wireBytes(), at: now, context
    ) {
      .read(StaffScope.query(of: caller), CorrectionStore.byID(id ?? "")) { scope, placed in
        guard let placed, scope.holds(placed.known.managingPath),
          !placed.known.person.isErased
        else { throw MembersError.correctionNotFound }
        try Etag.check(etag, placed.correction.version)
        var decision = CorrectionDecision(
          placed: placed, act: act, audit: audit, keys: keys, caseIDs: caseIDs)
        return isAccepted ? try decision.accept() : try decision.decline()
      }
    }
    return try DecideCorrectionResponse(wireBytes: bytes)
  }
}

/// The decision on a correction. Pure.
private struct CorrectionDecision: Sendable {
  var placed: PlacedCorrection
  let act: Act
  let audit: AuditEntry
  let keys: MembersKeys
  /// The identifiers of the duplicates that the correction may reveal.
  let caseIDs: [String]

  mutating func decline() throws -> Step<[UInt8]> {
    try placed.correction.progress.apply(.decline)
    return try end(Commit(at: act.now))
  }

  mutating func accept() throws -> Step<[UInt8]> {
    try placed.correction.progress.apply(.accept)
    let decision = self
    return .read(PersonStore.byID(placed.known.person.id)) { stored in
      try decision.keys.takeUp(hashKey: stored?.hashKey ?? 0)
      return try decision.accepted()
    }
  }

  private func accepted() throws -> Step<[UInt8]> {
    let person = placed.known.person
    let key = try keys.personKey(of: person)
    let asked = try placed.correction.openData(key)
    let before = try keys.personalData(of: person)
    var after = before
    if !asked.personName.isEmpty { after.name = asked.personName }
    if !asked.residentID.isEmpty { after.residentID = asked.residentID }
    if !asked.phone.isEmpty { after.phone = asked.phone }
    let (old, new) = (try keys.hashes(of: before), try keys.hashes(of: after))
    let corrected = try sealed(after, of: person, key)
    let decision = self
    return .read(
      PersonStore.holders(of: new.residentID), PersonStore.lookAlikes(with: new.phone),
      PersonStore.lookAlikes(with: new.birth), PersonalDataStore.newestApplication(of: person.id)
    ) { holders, withPhone, withBirth, application in
      // A record merged into the person's keeps its own resident ID, which an undo restores.
      guard holders.allSatisfy({ $0 == person.id }) else { throw MembersError.residentIDTaken }
      var commit = Commit(at: decision.act.now)
      let member = decision.placed.known.member
      if member.state.isLive {
        _ = try commit.change(member, .update, by: decision.act)
      } else {
        commit.run(MemberStore.isStill(member))
      }
      try commit.refuseOutdated(hashKey: new.key, sealed: corrected.wrappedKey ?? [])
      PersonStore.remove(old, of: person.id, into: &commit)
      PersonStore.insert(new, of: person.id, isNew: true, into: &commit)
      commit.run(PersonStore.correct(person, to: corrected, hashKey: new.key))
      var alike: [(DuplicateCase.Kind, String)] = []
      if old.phone != new.phone { for id in withPhone { alike.append((.phone, id)) } }
      if old.birth != new.birth { for id in withBirth { alike.append((.nameAndBirthDate, id)) } }
      return try decision.end(commit, cases: decision.cases(alike, enrollmentID: application))
    }
  }

  /// Returns the duplicates of the persons whom the corrected one resembles.
  private func cases(
    _ alike: [(DuplicateCase.Kind, String)], enrollmentID: String?
  ) -> [DuplicateCase] {
    zip(caseIDs, alike).compactMap { id, other in
      guard other.1 != placed.known.person.id, let enrollmentID else { return nil }
      return DuplicateCase(
        id: id, kind: other.0, personID: placed.known.person.id, otherPersonID: other.1,
        enrollmentID: enrollmentID,
        organizationID: placed.known.member.managingOrganizationID, created: act.microseconds)
    }
  }

  /// Inserts the duplicates of those pairs that were not recorded before.
  private func end(_ commit: Commit, cases: [DuplicateCase]) throws -> Step<[UInt8]> {
    guard !cases.isEmpty else { return try end(commit) }
    let decision = self
    return .read(all: cases.map { DuplicateStore.isKnown($0.personID, $0.otherPersonID) }) {
      isKnown in
      var commit = commit
      for (one, isKnown) in zip(cases, isKnown) where !isKnown {
        commit.run(EnrollmentStore.insert(one))
      }
      return try decision.end(commit)
    }
  }

  /// Returns the person's sealed row with the key wrapped again, so that a concurrent key renewal
  /// based on the old data is detected.
  private func sealed(
    _ data: PersonalData, of person: StoredPerson, _ key: PersonKey
  ) throws -> StoredPerson {
    let table = PersonStore.table
    return StoredPerson(
      id: person.id,
      wrappedKey: try keys.cipher.rewrapped(person.wrappedKey ?? [], person: person.id),
      name: try key.seal(data.name, table: table, column: "person_name"),
      residentID: try key.seal(data.residentID, table: table, column: "resident_id"),
      phone: try key.seal(data.phone, table: table, column: "phone"))
  }

  private func end(_ commit: Commit) throws -> Step<[UInt8]> {
    var (commit, correction) = (commit, placed.correction)
    correction.version += 1
    CorrectionStore.end(correction, into: &commit)
    commit.emit(try .changed(correction))
    commit.record(audit)
    var response = DecideCorrectionResponse()
    response.correction = correction.message
    return .commit(commit, try response.wireBytes())
  }
}
