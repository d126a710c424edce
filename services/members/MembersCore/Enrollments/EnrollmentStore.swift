import GoogleProtobuf
import MembersV1
import Protobuf
import ServiceKit
import Storage

/// An enrollment as stored: the outcome of an application, without its personal data.
struct StoredEnrollment: Sendable, Hashable {
  var id: String
  /// The subject of the submitting caller.
  var caller: String
  var state: EnrollmentState
  /// The reason of a refusal that the caller must not learn.
  var refusal: String?
  var personID: String
  var memberID: String?
  /// The organization selected by the routing rules.
  var organizationID: String
  var route: Route
  var routeReason: LocalizedText
  var codeID: String?
  var group: OccupationGroup
  var channel: Channel
  var campaign: String
  var consentVersion: String
  /// The instant of consent, in microseconds since 1970.
  var consented: Int64
  var version: Int64
  /// The creation in microseconds since 1970.
  var created: Int64

  /// Whether a person submitted it who had proved a phone only: the caller is a keyed hash of it.
  var isOfApplicant: Bool { caller.hasPrefix("members/") && caller != "members/\(personID)" }

  /// The message for callers who must not learn whether the person is known: the same for
  /// everybody.
  var neutralMessage: Enrollment {
    var message = Enrollment()
    message.name = "enrollments/\(id)"
    message.state = .received
    message.createTime = Timestamp(microseconds: created)
    message.group = group
    message.channel = channel
    message.campaign = campaign
    return message
  }

  /// Returns the message for staff with the enrollment in their scope.
  func message(in language: Language) -> Enrollment {
    var message = neutralMessage
    message.state = state
    message.member = memberID.map { "members/\($0)" } ?? ""
    message.organization = "organizations/\(organizationID)"
    message.route = route
    message.routeReason = routeReason.text(in: language)
    message.refusal = refusal ?? ""
    message.etag = Etag.text(version)
    message.consentVersion = consentVersion
    message.consentTime = Timestamp(microseconds: consented)
    return message
  }
}

/// An enrollment with its position in the tree.
struct PlacedEnrollment: Sendable, Hashable {
  var enrollment: StoredEnrollment
  /// The path of the organization selected by the routing rules.
  var path: String
  /// The path of the organization that manages the member; `nil` if there is no member.
  var memberPath: String?
  var person: StoredPerson
  /// The normalized application, sealed under the person's key.
  var application: [UInt8]
  /// The person's enrollment that waits for approval.
  var openEnrollmentID: String?

  /// Returns the message for staff who review the enrollment: with the masked data of the
  /// application, unless the person is erased.
  func reviewMessage(in language: Language, _ keys: MembersKeys) throws -> Enrollment {
    var message = enrollment.message(in: language)
    if enrollment.state == .held, let openEnrollmentID {
      message.otherEnrollment = "enrollments/\(openEnrollmentID)"
    }
    guard !person.isErased else { return message }
    let said = try EnrollmentApplication(
      wireBytes: try keys.personKey(of: person).open(
        application, table: EnrollmentStore.table, column: "application"))
    message.personNameMasked = Masking.personName(said.personName)
    message.residentIDMasked = Masking.residentID(said.residentID)
    message.phoneMasked = Masking.phone(said.phone)
    return message
  }
}

/// A possible duplicate: two persons who may be one, to be judged by staff.
struct DuplicateCase: Sendable, Hashable {
  enum Kind: String, Sendable {
    case phone = "PHONE"
    case nameAndBirthDate = "NAME_AND_BIRTH_DATE"
  }

  /// Returns the identifiers of the cases that one write may open: the last digit of a random one
  /// counts them.
  static func ids(from random: String) -> [String] {
    (0..<2 * PersonStore.lookAlikesMax).map { random.dropLast() + String($0, radix: 16) }
  }

  var id: String
  var kind: Kind
  var personID: String
  var otherPersonID: String
  var enrollmentID: String
  /// The organization that manages the first person's membership, or else of the enrollment.
  var organizationID: String
  /// The creation in microseconds since 1970.
  var created: Int64
}

/// The SQL of enrollments.
enum EnrollmentStore {
  static let table = "enrollments"

  static let selection =
    "\(columns) FROM enrollments AS e JOIN organizations AS o ON o.id = e.organization_id \(others)"

  /// Returns a selection with the organizations and enrollments in the order of a plan, and the
  /// beginning of its condition.
  static func selection(by plan: ListPlan) -> String {
    "\(columns) FROM \(plan.tables("enrollments AS e")) \(others) WHERE o.id = e.organization_id"
  }

  private static let columns = """
    SELECT e.id, e.caller, e.state, e.refusal, e.person_id, e.member_id, e.organization_id, \
    e.route, e.route_reason_zh, e.route_reason_en, e.code_id, e.occupation_group, e.channel, \
    e.campaign, e.consent_version, e.consented, e.version, e.created, e.application, o.path, \
    h.path AS member_path, p.wrapped_key, p.person_name, p.resident_id, p.phone, \
    a.enrollment_id AS open_id
    """
  private static let others = """
    JOIN persons AS p ON p.id = e.person_id \
    LEFT JOIN open_enrollments AS a ON a.person_id = e.person_id \
    LEFT JOIN memberships AS m ON m.id = e.member_id \
    LEFT JOIN organizations AS h ON h.id = m.managing_organization_id
    """

  static func byID(_ id: String) -> Query<PlacedEnrollment?> {
    .first("\(selection) WHERE e.id = ?1", [id], placed)
  }

  /// - Parameter application: The normalized application, sealed under the person's key.
  static func insert(_ enrollment: StoredEnrollment, application: [UInt8]) -> Statement {
    Statement(
      """
      INSERT INTO enrollments (
        id, caller, state, refusal, person_id, member_id, organization_id, route,
        route_reason_zh, route_reason_en, code_id, occupation_group, channel, campaign,
        consent_version, consented, application, version, created
      ) VALUES (
        ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19
      )
      """,
      [
        enrollment.id, enrollment.caller, enrollment.state.rawValue, enrollment.refusal,
        enrollment.personID, enrollment.memberID, enrollment.organizationID,
        enrollment.route.rawValue, enrollment.routeReason.zh, enrollment.routeReason.en,
        enrollment.codeID, enrollment.group.rawValue, enrollment.channel.rawValue,
        enrollment.campaign, enrollment.consentVersion, enrollment.consented, application,
        enrollment.version, enrollment.created,
      ], expects: .exactly(1))
  }

  /// Returns the statement that records a person's only open enrollment.
  static func open(_ enrollmentID: String, personID: String) -> Statement {
    Statement(
      """
      INSERT INTO open_enrollments (person_id, enrollment_id) VALUES (?1, ?2)
      ON CONFLICT (person_id) DO NOTHING
      """, [personID, enrollmentID], expects: .exactly(1))
  }

  static func insert(_ duplicate: DuplicateCase) -> Statement {
    Statement(
      """
      INSERT INTO duplicate_cases (
        id, kind, person_id, other_person_id, enrollment_id, organization_id, state, created
      ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'OPEN', ?7)
      ON CONFLICT (person_id, other_person_id, kind) DO NOTHING
      """,
      [
        duplicate.id, duplicate.kind.rawValue, duplicate.personID, duplicate.otherPersonID,
        duplicate.enrollmentID, duplicate.organizationID, duplicate.created,
      ])
  }

  @Sendable static func placed(_ row: Row) throws -> PlacedEnrollment {
    PlacedEnrollment(
      enrollment: StoredEnrollment(
        id: try row.text("id"), caller: try row.text("caller"),
        state: EnrollmentState(rawValue: try row.int32("state")),
        refusal: try row.optionalText("refusal"), personID: try row.text("person_id"),
        memberID: try row.optionalText("member_id"),
        organizationID: try row.text("organization_id"),
        route: Route(rawValue: try row.int32("route")),
        routeReason: LocalizedText(
          zh: try row.text("route_reason_zh"), en: try row.text("route_reason_en")),
        codeID: try row.optionalText("code_id"),
        group: OccupationGroup(rawValue: try row.int32("occupation_group")),
        channel: Channel(rawValue: try row.int32("channel")), campaign: try row.text("campaign"),
        consentVersion: try row.text("consent_version"), consented: try row.integer("consented"),
        version: try row.integer("version"), created: try row.integer("created")),
      path: try row.text("path"), memberPath: try row.optionalText("member_path"),
      person: try PersonStore.person(row), application: try row.blob("application"),
      openEnrollmentID: try row.optionalText("open_id"))
  }
}
