import MembersV1
import Protobuf
import ServiceKit
import Storage

/// Routes members again by the current rules, to find those who belong to a union of rule 1 or 2
/// but are not its members (Sichuan's warning). Uses the application with which they joined, with
/// their current work details and the facts that staff corrected.
enum ReroutedMembers {
  /// A member with the input of the routing rules.
  struct Subject: Sendable {
    var known: KnownMember
    var application: EnrollmentApplication

    /// The organizations that may receive the member.
    var candidates: Query<[StoredOrganization]> {
      OrganizationStore.candidates(
        regionCodes: application.candidateRegionCodes,
        employerCreditCode: application.employerCreditCode)
    }
  }

  /// A member who belongs to another union.
  struct Found: Sendable {
    var known: KnownMember
    var receiver: Receiver

    func message(in language: Language) -> Rerouting {
      var message = Rerouting()
      message.member = "members/\(known.member.id)"
      message.memberNumber = known.member.number
      message.fromOrganization = "organizations/\(known.member.managingOrganizationID)"
      message.toOrganization = "organizations/\(receiver.organization.id)"
      message.route = receiver.route
      message.routeReason = receiver.reason.text(in: language)
      return message
    }
  }

  /// Reads members and decides with those who belong to another union.
  static func step<Reply: Sendable>(
    _ ids: [String], for caller: Caller, keys: MembersKeys,
    then decide: @escaping @Sendable (StaffScope, [Found]) throws -> Step<Reply>
  ) -> Step<Reply> {
    .read(StaffScope.query(of: caller), members(ids), RegionSettingStore.all) {
      scope, rows, regions in
      let subjects = try subjects(of: rows, in: scope, keys)
      guard !subjects.isEmpty else { return try decide(scope, []) }
      return .read(all: subjects.map(\.candidates)) { candidates in
        try decide(scope, found(subjects, among: candidates, by: regions))
      }
    }
  }

  /// Returns those of the members who can be routed: live ones in scope, with an application.
  static func subjects(
    of rows: [(KnownMember, [UInt8]?)], in scope: StaffScope, _ keys: MembersKeys
  ) throws -> [Subject] {
    try rows.compactMap { known, sealed in
      guard scope.holds(known.managingPath), !known.person.isErased,
        [.pooled, .active].contains(known.member.state), let sealed
      else { return nil }
      let key = try keys.personKey(of: known.person)
      var application = try EnrollmentApplication(
        wireBytes: key.open(sealed, table: EnrollmentStore.table, column: "application"))
      application.correct(by: try known.member.openDetails(key))
      application.group = known.member.group
      return Subject(known: known, application: application)
    }
  }

  /// Returns those who belong to another union, given the candidates of each.
  static func found(
    _ subjects: [Subject], among candidates: [[StoredOrganization]], by regions: [RegionSetting]
  ) -> [Found] {
    zip(subjects, candidates).compactMap { subject, candidates in
      let routing = Routing(
        application: subject.application, candidates: candidates, settings: regions)
      guard let receiver = routing.ownUnion(),
        receiver.organization.id != subject.known.member.managingOrganizationID
      else { return nil }
      return Found(known: subject.known, receiver: receiver)
    }
  }

  /// Returns members with their last admitted application.
  static func members(_ ids: [String]) -> Query<[(KnownMember, [UInt8]?)]> {
    let list = InList(ids, first: 2)
    return .all(
      """
      \(MemberStore.selection), (
        SELECT e.application FROM enrollments AS e
        WHERE e.person_id = m.id AND e.state = ?1 AND e.route <> 0
        ORDER BY e.created DESC LIMIT 1
      ) AS application
      FROM memberships AS m JOIN persons AS p ON p.id = m.id
      JOIN organizations AS o ON o.id = m.managing_organization_id
      WHERE m.id IN \(list.sql) ORDER BY m.id
      """, [EnrollmentState.admitted.rawValue] + list.arguments
    ) { row in (try MemberStore.known(row), try row.optionalBlob("application")) }
  }

  /// Returns a page of a subtree's members by path and member number.
  static func page(
    of range: PathRange, after path: SQLValue, _ number: SQLValue, limit: Int
  ) -> Query<[(id: String, path: String, number: String)]> {
    .all(
      """
      SELECT m.id, o.path, m.member_number FROM organizations AS o
      JOIN memberships AS m ON m.managing_organization_id = o.id
      WHERE o.path >= ?1 AND o.path < ?2 AND o.path >= ?3
        AND (o.path, m.member_number) > (?3, ?4)
      ORDER BY o.path, m.member_number LIMIT ?5
      """, [range.first, range.end, path, number, limit]
    ) { row in (try row.text("id"), try row.text("path"), try row.text("member_number")) }
  }
}

extension EnrollmentApplication {
  /// Replaces the facts for routing by those of a member's details.
  fileprivate mutating func correct(by details: MemberDetails) {
    employerCreditCode = details.employerCreditCode
    areas = details.areas ?? areas
    if details.labourRelation != .unspecified { labourRelation = details.labourRelation }
    migrantWorker = details.migrantWorker ?? migrantWorker
  }
}
