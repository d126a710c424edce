import Foundation
import MembersV1
import ServiceKit
import Storage

/// The actor and the time of a change, for logs.
struct Act: Sendable {
  /// The resource name of the caller, or of the service itself.
  let actor: String
  let now: Date

  /// The time in microseconds since 1970.
  var microseconds: Int64 { now.microseconds }

  /// The day in China, in days since 1970-01-01.
  var day: Int { ChinaDate(microseconds: microseconds).daysSinceEpoch }
}

extension Commit {
  /// Changes a membership with everything that follows: its row, guarded by the version that was
  /// read, its log entry, the counters, and its event.
  ///
  /// - Parameters:
  ///   - former: The state of a merged membership before the merge.
  ///   - survivorID: The survivor of a membership that is merged.
  ///   - organizationID: The new managing organization; `nil` for no change.
  ///   - isJoining: Whether the member requested the change, so that the organization is the joined
  ///     one, too.
  ///   - edit: Makes further changes to the row.
  /// - Returns: The changed membership.
  /// - Throws: ``MembersError/membershipState``, ``MembersError/membershipClosed``.
  mutating func change(
    _ member: StoredMember, _ input: Membership.Input, former: MembershipState = .unspecified,
    survivorID: String? = nil, to organizationID: String? = nil, isJoining: Bool = false,
    retention: RetentionCause = .unspecified, enrollmentID: String? = nil, by act: Act,
    edit: (inout StoredMember) throws -> Void = { _ in }
  ) throws -> StoredMember {
    var membership = Membership(member.state, former: former)
    let action = try membership.apply(input)
    var changed = member
    changed.state = membership.state
    if let organizationID {
      changed.managingOrganizationID = organizationID
      if isJoining { changed.organizationID = organizationID }
    }
    try edit(&changed)
    changed.version += 1
    run(MemberStore.update(changed))
    if changed.managingOrganizationID != member.managingOrganizationID {
      run(AwayStore.move([changed.id], to: changed.managingOrganizationID))
      run(DuplicateStore.move([changed.id], to: changed.managingOrganizationID))
      run(CorrectionStore.move([changed.id], to: changed.managingOrganizationID))
    }
    log(
      changed, action, before: member, retention: retention, enrollmentID: enrollmentID, by: act
    )
    emit(try .changed(changed, survivorID: survivorID, isErased: action == .erased))
    return changed
  }

  /// Creates a membership: its row, its log entry, the counters, and its event.
  ///
  /// - Parameter input: How the person joins, which determines the state.
  /// - Returns: The membership in its state.
  mutating func found(
    _ draft: StoredMember, _ input: Membership.Input, enrollmentID: String, by act: Act
  ) throws -> StoredMember {
    var membership = Membership(.unspecified)
    let action = try membership.apply(input)
    var member = draft
    member.state = membership.state
    MemberStore.found(member, into: &self)
    log(member, action, before: nil, enrollmentID: enrollmentID, by: act)
    emit(try .changed(member))
    return member
  }

  private mutating func log(
    _ member: StoredMember, _ action: MembershipLogEntry.Action, before: StoredMember?,
    retention: RetentionCause = .unspecified, enrollmentID: String?, by act: Act
  ) {
    run(
      MembershipLogEntry(
        action: action, from: before?.state ?? .unspecified, member: member, day: act.day,
        enrollmentID: enrollmentID,
        retention: retention, actor: act.actor, created: act.microseconds
      ).insert)
    if let before {
      CounterStore.count(
        -1, state: before.state, organizationID: before.managingOrganizationID, into: &self)
    }
    CounterStore.count(
      1, state: member.state, organizationID: member.managingOrganizationID, into: &self)
    CounterStore.change(
      from: before, to: member, isJoining: action == .joined || action == .revived,
      day: act.day, into: &self)
    UnitQueue.add(before, member, into: &self)
  }
}

extension StoredMember {
  /// The membership's message without personal data.
  var summary: MembershipSummary {
    var message = MembershipSummary()
    message.name = "members/\(id)"
    message.memberNumber = number
    message.state = state
    message.group = group
    message.organization = "organizations/\(organizationID)"
    message.managingOrganization = "organizations/\(managingOrganizationID)"
    message.joinDate = .day(joinDay)
    message.etag = etag
    return message
  }

  var etag: String { Etag.text(version) }
}
