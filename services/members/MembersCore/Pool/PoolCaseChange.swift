import MembersV1
import Storage

extension Commit {
  /// Opens cases for newly pooled members, in the same commit, if the custodian is not dissolved
  /// meanwhile.
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
    if !cases.isEmpty { run(OrganizationStore.isNotDissolved(terms.custodianID)) }
    PoolCaseStore.insert(cases, into: &self)
    PoolCaseStore.log(cases, "OPENED", by: act, into: &self)
    for stored in cases { emit(try .changed(stored)) }
  }

  /// Moves open cases to the pool that takes over the members of a dissolved one; everything else
  /// about them stays, unless the dissolved one kept them itself.
  ///
  /// - Parameter custodianID: The custodian of cases of the new pool.
  mutating func movePoolCases(
    _ cases: [StoredPoolCase], to pool: StoredOrganization, keptBy custodianID: String,
    by act: Act
  ) throws {
    let moved = cases.map { stored in
      var after = stored
      if after.custodianID == after.poolID { after.custodianID = custodianID }
      after.poolID = pool.id
      after.version += 1
      return after
    }
    if moved.contains(where: { $0.custodianID == custodianID }) {
      run(OrganizationStore.isNotDissolved(custodianID))
    }
    try store(moved, "MOVED", by: act)
  }

  /// Takes open cases from a dissolved organization: those assigned to it wait again with their
  /// custodian, and those that it kept are kept by the organization above it.
  ///
  /// - Throws: ``MembersError/poolCaseState``.
  mutating func releasePoolCases(
    _ cases: [StoredPoolCase], of dissolved: StoredOrganization, by act: Act
  ) throws {
    let released = try cases.map { stored in
      var after = stored
      if stored.receiverID == dissolved.id {
        try after.progress.apply(.loseReceiver, on: act.day, days: stored.days)
        after.receiverID = nil
      }
      if stored.custodianID == dissolved.id {
        after.custodianID = dissolved.parentID ?? stored.poolID
      }
      after.version += 1
      return after
    }
    try store(released, "RELEASED", by: act)
  }

  /// Stores changed cases with their log entries and events.
  private mutating func store(_ cases: [StoredPoolCase], _ action: String, by act: Act) throws {
    PoolCaseStore.place(cases, into: &self)
    PoolCaseStore.log(cases, action, by: act, into: &self)
    for stored in cases { emit(try .changed(stored)) }
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
    if changed.custodianID != stored.custodianID {
      run(OrganizationStore.isNotDissolved(changed.custodianID))
    }
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
    case .loseReceiver: "RELEASED"
    case .escalate: "ESCALATED"
    case .close: "CLOSED"
    }
  }
}
