import MembersV1
import ServiceKit
import Storage

/// A person becomes a member, or one again: what an application that is taken at once and one that
/// is approved later have in common.
struct Admission: Sendable {
  var person: StoredPerson
  /// The key of the person's data.
  var key: PersonKey
  /// The membership that the person left; nil for a new member.
  var former: StoredMember?
  var organizationID: String
  /// How the person joins: as a member of a union, or of a pool.
  var input: Membership.Input
  /// What the pool's region says of its cases; nil for who joins a union.
  var terms: PoolTerms?
  var channel: Channel
  var campaign: String
  var application: EnrollmentApplication
  /// Numbers to choose from, and those of them that are taken.
  var numbers: [String]
  var takenNumbers: Set<String>
  var code: MemberCode
  var enrollmentID: String
  var act: Act

  /// Adds the membership and all that goes along with it.
  ///
  /// - Returns: The membership as it will be; who left has the first join date, the number and the
  ///   code of before.
  func add(to commit: inout Commit) throws -> StoredMember {
    let member = try joined(&commit)
    if let terms { try commit.openPoolCases(of: [member], on: terms, by: act) }
    return member
  }

  private func joined(_ commit: inout Commit) throws -> StoredMember {
    let details = try MemberDetails(of: application).sealed(key)
    if let former {
      return try commit.change(
        former, input, to: organizationID, isJoining: true, enrollmentID: enrollmentID, by: act
      ) { member in
        member.group = application.group
        member.channel = channel
        member.campaign = campaign
        member.details = details
      }
    }
    guard let number = numbers.first(where: { !takenNumbers.contains($0) }) else {
      throw StorageError.contention
    }
    let draft = StoredMember(
      id: person.id, number: number, state: .unspecified, organizationID: organizationID,
      managingOrganizationID: organizationID, group: application.group, channel: channel,
      campaign: campaign, joinDay: act.day,
      code: try key.seal(code.text, table: MemberStore.table, column: "code"),
      codeSHA256: code.sha256, version: 1, created: act.microseconds, details: details)
    return try commit.found(draft, input, enrollmentID: enrollmentID, by: act)
  }
}
