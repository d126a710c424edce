public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Judges a possible duplicate: as two persons, or as one, whose records are merged.
  public func judgeDuplicate(
    _ request: JudgeDuplicateRequest, context: ServerContext
  ) async throws -> JudgeDuplicateResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try DuplicateOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      reason: request.reason, newID: ids.next(), payload: payload, at: clock.now, &checks)
    let survivor =
      request.survivor.isEmpty
      ? nil
      : checks.resource(request.survivor, of: "members", "survivor")
    try checks.check()
    var response = JudgeDuplicateResponse()
    response.duplicate = try await judge(order) { facts in
      try survivor.map { try facts.merged(into: $0, order) } ?? facts.distinguished(order)
    }
    return response
  }
}

extension DuplicateFacts {
  fileprivate func distinguished(_ order: DuplicateOrder) throws -> Step<[UInt8]> {
    var duplicate = duplicate
    try duplicate.progress.apply(.distinguish)
    duplicate.version += 1
    return try order.end(duplicate, "duplicates.distinguish", Commit(at: order.now))
  }

  /// Merges the other record into the survivor's. Only its state changes, so that an undo can
  /// restore it.
  fileprivate func merged(
    into survivorID: String, _ order: DuplicateOrder
  ) throws -> Step<[UInt8]> {
    guard [duplicate.personID, duplicate.otherPersonID].contains(survivorID) else {
      throw FieldFailure(
        field: "survivor", reason: "NOT_A_PARTY",
        text: LocalizedText(
          zh: "应为两名人员之一。", en: "must be one of the two persons."))
    }
    var duplicate = duplicate
    try duplicate.progress.apply(.merge)
    guard let person, let other else { throw MembersError.membershipState }
    let (survivor, merged) =
      duplicate.personID == survivorID ? (person, other) : (other, person)
    guard mergedInto[merged.member.id]?.isEmpty != false else { throw MembersError.mergedRecords }
    let act = order.act
    var commit = Commit(at: order.now)
    // Changes the survivor, too, so that its concurrent merge is detected.
    _ = try commit.change(survivor.member, .update, by: act) {
      $0.joinDay = min($0.joinDay, merged.member.joinDay)
    }
    _ = try commit.end(merged, .merge, survivorID: survivorID, by: act)
    // The person has one open correction at most: the survivor's, if there is one.
    let correction = corrections.first { $0.memberID == merged.member.id }
    try commit.cancelCorrection(correction, of: merged.member.id)
    let merge = StoredMerge(
      id: order.newID, survivorID: survivorID, mergedID: merged.member.id,
      former: merged.member.state, joinDay: survivor.member.joinDay,
      transferID: merged.transfer?.transfer.id, correctionID: correction?.id,
      awayReportID: merged.away?.id, awayState: merged.away?.state ?? .unspecified)
    commit.run(DuplicateStore.insert(merge, of: duplicate.id, at: act.microseconds))
    duplicate.merge = merge
    duplicate.version += 1
    for index in duplicate.parties.indices
    where duplicate.parties[index].member == "members/\(merge.mergedID)" {
      duplicate.parties[index].state = .merged
    }
    return try order.end(duplicate, "duplicates.merge", commit)
  }
}
