import GoogleProtobuf
import GoogleType
import MembersV1
import ServiceKit

/// An organization as stored.
struct StoredOrganization: Sendable, Hashable {
  /// Levels from a national root to a group of a branch, with room to spare: bounds every path.
  static let depthMax = 16
  /// Hex digits of an identifier, of which a path is made.
  static let idCharacters = 32

  var id: String
  var externalID: String
  /// Identifiers from the root down to this one; see `MembersMigrations`.
  var path: String
  var parentID: String?
  var displayName: String
  var kind: OrganizationKind
  var level: OrganizationLevel
  var regionCode: String
  /// Groups that it takes; none is all.
  var groups: Set<OccupationGroup>
  var creditCode: String
  var employerCreditCodes: [String]
  var takesIndividuals: Bool
  var state: OrganizationState
  var version: Int64
  /// Microseconds since 1970.
  var created: Int64
  var industryGroup = ""
  /// Subject of the caller who founded or imported it; empty where nobody knows any more.
  var author = ""
  /// In China, in days since 1970-01-01, as the other day.
  var openedDay: Int?
  var closedDay: Int?
  /// Organizations directly below it that are not dissolved.
  var childCount: Int64 = 0

  /// Path of the organization above; nil for a root.
  var parentPath: String? { parentID == nil ? nil : String(path.dropLast(Self.idCharacters)) }

  /// Whether an import of `other` says the same of the same organization.
  func hasContent(of other: StoredOrganization) -> Bool {
    var same = other
    same.id = id
    same.path = path
    same.version = version
    same.created = created
    same.author = author
    same.childCount = childCount
    return self == same
  }

  /// Its life, after an input.
  ///
  /// - Throws: ``MembersError/organizationDissolved``, ``MembersError/organizationState``.
  mutating func live(_ input: OrganizationLife.Input) throws -> OrganizationLife.Action {
    var life = OrganizationLife(state)
    do {
      let action = try life.apply(input)
      state = life.state
      return action
    } catch {
      switch error {
      case .dissolved: throw MembersError.organizationDissolved
      case .state: throw MembersError.organizationState
      }
    }
  }

  /// The organization where it stands below another one.
  ///
  /// - Throws: ``MembersError/organizationDissolved``, ``MembersError/invalidParent``,
  ///   ``MembersError/treeTooDeep``.
  func placed(below parent: StoredOrganization) throws -> StoredOrganization {
    var above = parent
    _ = try above.live(.change)
    guard kind.mayStand(below: parent.kind) else { throw MembersError.invalidParent }
    var placed = self
    placed.parentID = parent.id
    placed.path = parent.path + id
    guard placed.path.utf8.count <= Self.depthMax * Self.idCharacters else {
      throw MembersError.treeTooDeep
    }
    return placed
  }

  var message: Organization {
    var message = Organization()
    message.name = "organizations/\(id)"
    message.externalID = externalID
    message.displayName = displayName
    message.parent = parentID.map { "organizations/\($0)" } ?? ""
    message.kind = kind
    message.level = level
    message.regionCode = regionCode
    message.groups = groups.sorted { $0.rawValue < $1.rawValue }
    message.creditCode = creditCode
    message.employerCreditCodes = employerCreditCodes
    message.takesIndividuals = takesIndividuals
    message.state = state
    message.createTime = Timestamp(microseconds: created)
    message.etag = etag
    message.industryGroup = industryGroup
    message.openedDate = openedDay.map(GoogleType.Date.day)
    message.closedDate = closedDay.map(GoogleType.Date.day)
    message.childCount = childCount
    return message
  }

  var etag: String { "v\(version)" }
}

extension StoredOrganization {
  /// A new one, without its place.
  init(
    id: String, externalID: String, _ fields: OrganizationFields, state: OrganizationState,
    author: String, created: Int64
  ) {
    self.init(
      id: id, externalID: externalID, path: "", parentID: nil, displayName: fields.displayName,
      kind: fields.kind, level: fields.level, regionCode: fields.regionCode,
      groups: fields.groups, creditCode: fields.creditCode,
      employerCreditCodes: fields.employerCreditCodes,
      takesIndividuals: fields.takesIndividuals, state: state, version: 1, created: created,
      industryGroup: fields.industryGroup, author: author, openedDay: fields.openedDay)
  }
}
