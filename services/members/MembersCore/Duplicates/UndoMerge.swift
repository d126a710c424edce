public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Undoes a merge and restores both records.
  public func undoMerge(
    _ request: UndoMergeRequest, context: ServerContext
  ) async throws -> UndoMergeResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try DuplicateOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      reason: request.reason, newID: ids.next(), payload: payload, at: clock.now, &checks)
    try checks.check()
    var response = UndoMergeResponse()
    response.duplicate = try await judge(order) { facts in
      var duplicate = facts.duplicate
      try duplicate.progress.apply(.undo)
      let records = [facts.person, facts.other].compactMap { $0 }
      guard let merge = duplicate.merge,
        let merged = records.first(where: { $0.member.id == merge.mergedID }),
        let survivor = records.first(where: { $0.member.id == merge.survivorID })
      else { throw MembersError.duplicateState }
      // An erased record can't be restored.
      guard records.allSatisfy({ !$0.known.person.isErased }) else {
        throw MembersError.duplicateState
      }
      let union = merged.member.managingOrganizationID
      return .read(OrganizationStore.byID(union)) { organization in
        guard let organization else { throw MembersError.organizationNotActive }
        return .read(OrganizationStore.pools(in: organization.poolRegions)) { pools in
          // A union dissolved meanwhile would have moved its members to the pool.
          let isDissolved = organization.state == .dissolved
          let receiver = isDissolved ? organization.pool(among: pools) : organization
          guard let receiver else { throw MembersError.noReceiver }
          guard receiver.state == .active else { throw MembersError.organizationNotActive }
          return .read(
            PoolCaseStore.terms(of: receiver), DuplicateStore.merges(into: merge.survivorID),
            TransferStore.byID(merge.transferID ?? ""),
            OrganizationStore.receiverOfTransfer(merge.transferID ?? ""),
            CorrectionStore.byID(merge.correctionID ?? ""),
            AwayStore.byID(merge.awayReportID ?? "")
          ) { terms, merges, transfer, union, correction, away in
            try facts.undone(
              merge, merges, merged.known, survivor.known, at: receiver, terms, order,
              EndedItems(
                transfer: transfer, union: union, correction: correction?.correction,
                away: merged.away == nil ? away?.report : nil))
          }
        }
      }
    }
    return response
  }
}

extension DuplicateFacts {
  fileprivate func undone(
    _ merge: StoredMerge, _ merges: [PastMerge], _ merged: KnownMember, _ survivor: KnownMember,
    at receiver: StoredOrganization, _ terms: PoolTerms, _ order: DuplicateOrder,
    _ ended: EndedItems
  ) throws -> Step<[UInt8]> {
    let act = order.act
    var commit = Commit(at: order.now)
    // Guards against a concurrent erasure, which includes merged records.
    commit.run(PersonStore.isStill(merged.person))
    commit.run(PersonStore.isStill(survivor.person))
    let isMoved = receiver.id != merged.member.managingOrganizationID
    let restored = try commit.change(
      merged.member, .undoMerge,
      // In a pool, also one that took the record over, a member has a case instead of a union.
      former: receiver.kind == .holdingPool && merge.former == .active ? .pooled : merge.former,
      to: isMoved ? receiver.id : nil, by: act)
    // A pooled member has a case; the previous one ended with the merge.
    if restored.state == .pooled {
      try commit.openPoolCases(of: [restored], on: terms, by: act)
    }
    try commit.reopen(ended, of: restored, as: merge, by: act)
    commit.run(DuplicateStore.areStill(merges.count(where: \.stands), into: survivor.member.id))
    let day = merges.joinDay(without: merge.mergedID) ?? merge.joinDay
    if survivor.member.joinDay != day {
      if survivor.member.state.isLive {
        _ = try commit.change(survivor.member, .update, by: act) { $0.joinDay = day }
      } else {
        commit.run(MemberStore.setJoinDay(day, of: survivor.member))
      }
    }
    commit.run(DuplicateStore.undo(merge, at: act.microseconds))
    var duplicate = duplicate
    try duplicate.progress.apply(.undo)
    duplicate.merge = nil
    duplicate.version += 1
    for index in duplicate.parties.indices
    where duplicate.parties[index].member == "members/\(merge.mergedID)" {
      duplicate.parties[index].state = restored.state
      duplicate.parties[index].managingOrganization =
        "organizations/\(restored.managingOrganizationID)"
    }
    return try order.end(duplicate, "duplicates.undo", commit)
  }
}

/// What was open for a record and ended with its merge.
private struct EndedItems: Sendable {
  var transfer: PlacedTransfer?
  /// The receiver of the transfer.
  var union: StoredOrganization?
  var correction: StoredCorrection?
  /// The away report; `nil` also if there is a newer open one.
  var away: StoredAwayReport?
}

extension Commit {
  /// Opens again what ended with a merge that is undone. Must follow the membership's own change.
  fileprivate mutating func reopen(
    _ ended: EndedItems, of restored: StoredMember, as merge: StoredMerge, by act: Act
  ) throws {
    // Not a transfer of which nothing is left to decide.
    if let transfer = ended.transfer, let union = ended.union, union.state != .dissolved,
      union.id != restored.managingOrganizationID
    {
      try change(transfer.transfer, .restore, by: act)
      run(OrganizationStore.isStill(union))
    }
    if let correction = ended.correction { try change(correction, .restore) }
    if let away = ended.away { try restore(away, to: merge.awayState) }
    RefreshStore.restore(restored.id, on: act.day, into: &self)
  }
}
