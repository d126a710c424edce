import MembersV1
import Storage

/// Moves members of one organization to another one in a single commit.
///
/// A single transaction, because dissolving an organization promises that its members are pooled
/// with it: separate batches could be interrupted, which would leave the organization half moved.
/// ``membersMax`` bounds how long other writers wait.
struct MembersMove: Sendable {
  /// The maximum number of members per commit, which takes seconds. Below `Limits.rowsPerQuery`.
  static let membersMax = 50_000

  /// The live members that were read.
  let members: [StoredMember]
  /// The open cases of a pool whose members move.
  var cases: [StoredPoolCase] = []
  let from: StoredOrganization
  let to: StoredOrganization
  /// The terms of the pool's cases; `nil` if nobody is pooled.
  var terms: PoolTerms?
  /// Returns the membership input for a state.
  let input: @Sendable (MembershipState) -> Membership.Input

  /// Adds the changes, counters, log entries and events to a commit.
  ///
  /// - Throws: ``MembersError/membershipState``.
  func store(by act: Act, into commit: inout Commit) throws {
    var actions: [MembershipLogEntry.Action] = []
    let moved = try members.map { member in
      var membership = Membership(member.state)
      actions.append(try membership.apply(input(member.state)))
      var after = member
      after.state = membership.state
      after.managingOrganizationID = to.id
      after.version += 1
      return after
    }
    for start in stride(from: 0, to: moved.count, by: Commit.rowsPerStatement) {
      update(Array(moved[start..<min(start + Commit.rowsPerStatement, moved.count)]), &commit)
    }
    commit.insert(
      into: "membership_log", MembershipLogEntry.columns,
      members.indices.map { index in
        MembershipLogEntry(
          action: actions[index], from: members[index].state, member: moved[index], day: act.day,
          actor: act.actor, created: act.microseconds
        ).values
      })
    count(members, -1, at: from, &commit)
    count(moved, 1, at: to, &commit)
    CounterStore.move(members, to: moved, day: act.day, into: &commit)
    UnitQueue.add(moved, into: &commit)
    for member in moved { commit.emit(try .changed(member)) }
    guard let terms else { return }
    try commit.movePoolCases(cases, to: to, keptBy: terms.custodianID, by: act)
    let pooled = zip(members, moved).filter { $0.state != .pooled && $1.state == .pooled }
    try commit.openPoolCases(of: pooled.map(\.1), on: terms, by: act)
  }

  /// Updates memberships, guarded by each member's version, and moves their away reports,
  /// possible duplicates and corrections.
  private func update(_ members: [StoredMember], _ commit: inout Commit) {
    commit.run(
      """
      UPDATE memberships SET state = moved.column3, managing_organization_id = ?1,
        version = moved.column2
      FROM (VALUES \(Commit.places(rows: members.count, columns: 3, after: 1))) AS moved
      WHERE memberships.id = moved.column1 AND memberships.version = moved.column2 - 1
      """,
      [to.id]
        + members.flatMap { member -> [any SQLValueConvertible] in
          [member.id, member.version, member.state.rawValue]
        },
      expects: .exactly(members.count))
    commit.run(AwayStore.move(members.map(\.id), to: to.id))
    commit.run(DuplicateStore.move(members.map(\.id), to: to.id))
    commit.run(CorrectionStore.move(members.map(\.id), to: to.id))
  }

  private func count(
    _ members: [StoredMember], _ sign: Int, at organization: StoredOrganization,
    _ commit: inout Commit
  ) {
    let states = Dictionary(grouping: members, by: \.state).mapValues(\.count)
    for (state, count) in states.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      CounterStore.count(
        sign * count, state: state, organizationID: organization.id, into: &commit)
    }
  }
}
