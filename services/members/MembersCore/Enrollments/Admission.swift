import MembersV1
import ServiceKit
import Storage

/// The admission of a person to membership, for the first time or again; common to immediate and
/// approved enrollments.
struct Admission: Sendable {
  var person: StoredPerson
  /// The person's data key.
  var key: PersonKey
  /// The membership that the person left; `nil` for a new member.
  var former: StoredMember?
  var organizationID: String
  /// How the person joins: a union or a pool.
  var input: Membership.Input
  /// The terms of the pool's cases; `nil` for a union.
  var terms: PoolTerms?
  var channel: Channel
  var campaign: String
  var application: EnrollmentApplication
  /// The candidate member numbers.
  var numbers: [String]
  /// Those of the candidates that are taken.
  var takenNumbers: Set<String>
  var code: MemberCode
  var enrollmentID: String
  var act: Act
  /// Whether the person was stored before, maybe with possible duplicates.
  var isKnown: Bool

  /// Adds the membership and the pool case, if any, to a commit.
  ///
  /// - Returns: The resulting membership. A returning member keeps the first join date, the number
  ///   and the code.
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
    if isKnown { commit.run(DuplicateStore.move([person.id], to: organizationID)) }
    return try commit.found(draft, input, enrollmentID: enrollmentID, by: act)
  }
}
