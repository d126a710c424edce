import MembersV1
import Storage

extension Commit {
  /// Opens cases for newly pooled members, in the same commit.
  mutating func openPoolCases(
    of members: [StoredMember], on terms: PoolTerms, by act: Act
  ) throws {
    let cases = members.map { member in
      StoredPoolCase(
        id: StoredPoolCase.id(of: member), memberID: member.id,
        progress: PoolCaseProgress(dueDay: act.day + terms.days),
        poolID: member.managingOrganizationID, custodianID: terms.custodianID, receiverID: nil,
        days: terms.days, version: 1, created: act.microseconds)
    }
    PoolCaseStore.insert(cases, into: &self)
    PoolCaseStore.log(cases, "OPENED", by: act, into: &self)
    for stored in cases { emit(try .changed(stored)) }
  }

  /// Moves open cases to the pool that takes over the members of a dissolved one; everything else
  /// about them stays.
  mutating func movePoolCases(
    _ cases: [StoredPoolCase], to pool: StoredOrganization, by act: Act
  ) throws {
    let moved = cases.map { stored in
      var after = stored
      after.poolID = pool.id
      after.version += 1
      return after
    }
    PoolCaseStore.move(moved, to: pool.id, into: &self)
    PoolCaseStore.log(moved, "MOVED", by: act, into: &self)
    for stored in moved { emit(try .changed(stored)) }
  }

  /// Changes a case, guarded by the version that was read, and emits its log entry and event.
  ///
  /// - Parameter edit: Makes further changes, e.g. of the custodian.
  /// - Returns: The changed case.
  /// - Throws: ``MembersError/poolCaseState``.
  @discardableResult
  mutating func change(
    _ stored: StoredPoolCase, _ input: PoolCaseProgress.Input, by act: Act,
    edit: (inout StoredPoolCase) -> Void = { _ in }
  ) throws -> StoredPoolCase {
    var changed = stored
    try changed.progress.apply(input, on: act.day, days: stored.days)
    edit(&changed)
    changed.version += 1
    run(PoolCaseStore.update(changed))
    PoolCaseStore.log([changed], input.word, by: act, into: &self)
    emit(try .changed(changed))
    return changed
  }
}

extension PoolCaseProgress.Input {
  /// The action in the cases' log.
  fileprivate var word: String {
    switch self {
    case .assign: "ASSIGNED"
    case .confirm: "CONFIRMED"
    case .giveBack: "RETURNED"
    case .escalate: "ESCALATED"
    case .close: "CLOSED"
    }
  }
}
