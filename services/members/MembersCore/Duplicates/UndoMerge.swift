public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Undoes a merge: both records are what they were.
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
      // What was erased does not come back.
      guard records.allSatisfy({ !$0.known.person.isErased }) else {
        throw MembersError.duplicateState
      }
      let union = merged.member.managingOrganizationID
      return .read(OrganizationStore.byID(union)) { organization in
        guard let organization, organization.state == .active else {
          throw MembersError.organizationNotActive
        }
        return .read(PoolCaseStore.terms(of: organization)) { terms in
          try facts.undone(merge, merged.member, survivor.member, terms, order)
        }
      }
    }
    return response
  }
}

extension DuplicateFacts {
  fileprivate func undone(
    _ merge: StoredMerge, _ merged: StoredMember, _ survivor: StoredMember, _ terms: PoolTerms,
    _ order: DuplicateOrder
  ) throws -> Step<[UInt8]> {
    let act = order.act
    var commit = Commit(at: order.now)
    let restored = try commit.change(merged, .undoMerge, former: merge.former, by: act)
    // Who is pooled has a case; the one before ended with the merge.
    if restored.state == .pooled {
      try commit.openPoolCases(of: [restored], on: terms, by: act)
    }
    if survivor.state.isLive, survivor.joinDay != merge.joinDay {
      _ = try commit.change(survivor, .update, by: act) { $0.joinDay = merge.joinDay }
    }
    commit.run(DuplicateStore.undo(merge, at: act.microseconds))
    var duplicate = duplicate
    try duplicate.progress.apply(.undo)
    duplicate.merge = nil
    duplicate.version += 1
    for index in duplicate.parties.indices
    where duplicate.parties[index].member == "members/\(merged.id)" {
      duplicate.parties[index].state = restored.state
    }
    return try order.end(duplicate, "duplicates.undo", commit)
  }
}
