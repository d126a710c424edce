import GoogleProtobuf
import GoogleType
import MembersV1
import ServiceKit
import Storage

/// An organization as stored.
struct StoredOrganization: Sendable, Hashable {
  /// The maximum number of levels, more than from a national root to a group of a branch; bounds
  /// the paths.
  static let depthMax = 16
  /// The number of hex digits of an identifier in a path.
  static let idCharacters = 32

  var id: String
  var externalID: String
  /// The identifiers from the root to this organization; see `MembersMigrations`.
  var path: String
  var parentID: String?
  var displayName: String
  var kind: OrganizationKind
  var level: OrganizationLevel
  var regionCode: String
  /// The accepted groups; empty for all.
  var groups: Set<OccupationGroup>
  var creditCode: String
  var employerCreditCodes: [String]
  var takesIndividuals: Bool
  var state: OrganizationState
  var version: Int64
  /// The creation in microseconds since 1970.
  var created: Int64
  var industryGroup = ""
  /// The subject of the founding or importing caller; empty if unknown.
  var author = ""
  /// The opening date in China, in days since 1970-01-01.
  var openedDay: Int?
  /// The closing date in China, in days since 1970-01-01.
  var closedDay: Int?
  /// The number of organizations directly below it that are not dissolved.
  var childCount: Int64 = 0

  /// The path of the parent; `nil` for a root.
  var parentPath: String? { parentID == nil ? nil : String(path.dropLast(Self.idCharacters)) }

  /// Returns whether an import of `other` is a repetition: the same organization with the same
  /// fields.
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

  /// Applies an input to the organization's state.
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

  /// Returns the organization with its place below a parent.
  ///
  /// - Parameter field: The field to blame for a region that is not within the parent's.
  /// - Throws: ``MembersError/organizationDissolved``, ``MembersError/invalidParent``,
  ///   `FieldFailure`, ``MembersError/treeTooDeep``.
  func placed(
    below parent: StoredOrganization, field: String
  ) throws -> StoredOrganization {
    var above = parent
    _ = try above.live(.change)
    guard kind.mayStand(below: parent.kind), level.mayStand(below: parent.level) else {
      throw MembersError.invalidParent
    }
    try RegionCode.check(regionCode, within: parent.regionCode, field: field)
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

  var etag: String { Etag.text(version) }

  /// Returns the query of the region of an organization directly below that a new region would not
  /// contain; `nil` if the region does not change.
  func child(outside region: String) -> Query<String?> {
    region == regionCode ? .constant(nil) : OrganizationStore.regionBelow(id, outside: region)
  }
}

extension StoredOrganization {
  /// Creates an organization without its place in the tree.
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
