public import Foundation
import MembersV1
import ServiceKit
public import Storage

/// Fills an empty store with generated members, for measurements at scale and for tests: persons,
/// hashes, memberships, numbers, log and counters, sealed and hashed as by the service; without
/// enrollments, requests, events and audit entries.
///
/// Rows are written through the regular write path in multi-row statements.
public struct SampleRegistry: Sendable {
  /// The number of members per organization.
  private static let membersPerOrganization = 2_000
  /// The number of members per commit, which takes about 20 ms.
  private static let batch = 1_000
  /// The number of batches in progress, so that one is sealed while another is stored.
  private static let batchesInFlight = 3

  private let database: any Database
  private let keys: MembersKeys
  private let members: Int
  private let seed: UInt64
  private let organizations: [StoredOrganization]

  /// - Parameters:
  ///   - database: An open store; `make` migrates it.
  ///   - members: The number of members; up to 280 million.
  ///   - seed: Determines the members, except for the randomness of encryption.
  public init(database: any Database, keys: MembersKeys, members: Int, seed: UInt64) throws {
    guard (1...SampleMember.membersMax).contains(members) else {
      throw ConfigurationError("members: 1 to \(SampleMember.membersMax)")
    }
    self.database = database
    self.keys = keys
    self.members = members
    self.seed = seed
    organizations = Self.tree(
      of: max(1, members / Self.membersPerOrganization), seed: seed)
  }

  /// Fills the store.
  ///
  /// - Parameter progress: Called with the rows stored and the total.
  /// - Throws: ``ConfigurationError`` if the store contains persons.
  public func make(
    at now: Date, progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
  ) async throws {
    try await database.migrate(MembersMigrations.all)
    let isTaken = try await database.read(
      Query<Bool>.exists("SELECT id FROM persons LIMIT 1"))
    guard !isTaken else { throw ConfigurationError("the store has members already") }
    var commit = Commit(at: now)
    for organization in organizations {
      let parent = organization.parentID == nil ? nil : organizations.first
      OrganizationStore.insert(organization, below: parent, into: &commit)
    }
    try await database.write(commit)
    let total = members * 7
    // SQLite builds an index faster at once than by random insertions.
    let rebuild = database.dialect == .sqlite
    if rebuild { try await run("DROP INDEX memberships_by_code", at: now) }
    try await inBatches(of: members) { range in
      try await store(range, at: now)
      progress(range.upperBound * 4, total)
    }
    try await storeHashes(at: now) { progress(members * 4 + $0, total) }
    if rebuild {
      try await run("CREATE INDEX memberships_by_code ON memberships (code_sha256)", at: now)
    }
    try await storeCounters(at: now)
    progress(total, total)
  }

  /// Reads one member by key, as GetMember does.
  public func read(_ index: Int) async throws {
    guard try await database.read(MemberStore.byID(member(index).id)) != nil else {
      throw ConfigurationError("member \(index) of \(members) is not in the store")
    }
  }

  private func member(_ index: Int) -> SampleMember {
    SampleMember(index, of: members, seed: seed, organizations: organizations.count)
  }

  private func run(_ sql: String, at now: Date) async throws {
    try await database.write(Commit(at: now, statements: [Statement(sql)]))
  }

  private func inBatches(
    of count: Int, _ body: @escaping @Sendable (Range<Int>) async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (number, start) in stride(from: 0, to: count, by: Self.batch).enumerated() {
        if number >= Self.batchesInFlight { try await group.next() }
        group.addTask { try await body(start..<min(start + Self.batch, count)) }
      }
      try await group.waitForAll()
    }
  }
}

// MARK: - Rows

extension SampleRegistry {
  private static let persons = RowInsert(
    into: "persons",
    ["id", "hash_key", "wrapped_key", "person_name", "resident_id", "phone", "created"])
  private static let memberships = RowInsert(
    into: "memberships",
    [
      "id", "member_number", "state", "organization_id", "managing_organization_id",
      "occupation_group", "channel", "campaign", "join_day", "code", "code_sha256", "version",
      "created",
    ])
  private static let numbers = RowInsert(into: "member_numbers", ["member_number", "member_id"])
  private static let log = RowInsert(
    into: "membership_log",
    [
      "member_id", "version", "action", "from_state", "to_state", "organization_id",
      "managing_organization_id", "occupation_group", "channel", "campaign", "day", "actor",
      "created",
    ])
  private static let hashes = RowInsert(
    into: "person_hashes", ["hash", "place", "person_id", "key"])

  private func store(_ range: Range<Int>, at now: Date) async throws {
    let created = SQLValue.integer(now.microseconds)
    let day = SQLValue.integer(
      Int64(ChinaDate(microseconds: now.microseconds).daysSinceEpoch))
    let hashKey = Int64(keys.residentIDs.currentKeyID)
    let active = Int64(MembershipState.active.rawValue)
    let channel = Int64(Channel.bulkImport.rawValue)
    let joined = MembershipLogEntry.Action.joined.rawValue
    var persons: [SQLValue] = []
    var memberships = persons
    var numbers = persons
    var log = persons
    for index in range {
      let member = member(index)
      let (id, number, code) = (member.id, member.number, member.code)
      let (key, person) = try keys.seal(member.data, personID: id)
      let organization = SQLValue.text(organizations[member.organization].id)
      let group = SQLValue.integer(Int64(member.group.rawValue))
      let sealedCode = try key.seal(code.text, table: MemberStore.table, column: "code")
      persons += [
        .text(id), .integer(hashKey), person.wrappedKey.sqlValue, .blob(person.name),
        .blob(person.residentID), .blob(person.phone), created,
      ]
      memberships += [
        .text(id), .text(number), .integer(active), organization, organization, group,
        .integer(channel), .text(""), day, .blob(sealedCode), .blob(code.sha256), .integer(1),
        created,
      ]
      numbers += [.text(number), .text(id)]
      log += [
        .text(id), .integer(1), .text(joined), .integer(0), .integer(active), organization,
        organization, group, .integer(channel), .text(""), day, .text("staff/sample"), created,
      ]
    }
    var commit = Commit(at: now)
    Self.persons.add(persons, to: &commit)
    Self.memberships.add(memberships, to: &commit)
    Self.numbers.add(numbers, to: &commit)
    Self.log.add(log, to: &commit)
    try await database.write(commit)
  }

  /// Stores the hashes, sorted in memory (40 bytes each), so that they are appended in key order.
  private func storeHashes(
    at now: Date, progress: @escaping @Sendable (Int) -> Void
  ) async throws {
    var hashes: [SampleHash] = []
    hashes.reserveCapacity(members * 3)
    for index in 0..<members {
      let member = member(index)
      let found = [
        keys.residentIDs.hash(member.data.residentID), keys.phones.hash(member.data.phone),
        keys.births.hash("\(member.birthDate) \(member.data.name)"),
      ]
      for (kind, digest) in found.enumerated() {
        hashes.append(SampleHash(digest, owner: index * 3 + kind))
      }
    }
    hashes.sort()
    let sorted = hashes
    let key = Int64(keys.residentIDs.currentKeyID)
    try await inBatches(of: sorted.count) { range in
      var commit = Commit(at: now)
      var values: [SQLValue] = []
      for hash in sorted[range] {
        let person = SQLValue.text(member(hash.owner / 3).id)
        values += [
          .blob(hash.bytes), hash.owner % 3 == 0 ? .text("") : person, person, .integer(key),
        ]
      }
      Self.hashes.add(values, to: &commit)
      try await database.write(commit)
      progress(range.upperBound)
    }
  }

  private func storeCounters(at now: Date) async throws {
    let day = ChinaDate(microseconds: now.microseconds).daysSinceEpoch
    var totals = CounterTotals()
    var own: [String: Int] = [:]
    for index in 0..<members {
      let member = member(index)
      let organization = organizations[member.organization]
      let cell = CounterStore.Cell(
        organization: organization.id, day: day, group: member.group.rawValue,
        channel: Channel.bulkImport.rawValue, state: MembershipState.active.rawValue)
      own[organization.id, default: 0] += 1
      totals.add(cell, at: organization.path, members: 1, joinings: 1)
    }
    var commit = Commit(at: now)
    totals.store(into: &commit)
    for (organization, members) in own {
      CounterStore.count(members, state: .active, organizationID: organization, into: &commit)
    }
    try await database.write(commit)
  }

  /// Returns the identifier of the federation above all generated unions.
  static func federationID(seed: UInt64) -> String {
    var random = organizationIDs(seed: seed)
    return organizationID(&random)
  }

  private static func organizationIDs(seed: UInt64) -> SplitMix64 { SplitMix64(seed: ~seed) }

  private static func organizationID(_ random: inout SplitMix64) -> String {
    (0..<2).map { _ in String(random.next() | 1 << 63, radix: 16) }.joined()
  }

  /// Returns a federation and the unions below it.
  private static func tree(of unions: Int, seed: UInt64) -> [StoredOrganization] {
    var random = organizationIDs(seed: seed)
    let root = StoredOrganization(
      id: organizationID(&random), externalID: "sample", path: "", parentID: nil,
      displayName: "示例总工会",
      kind: .regionalFederation, level: .national, regionCode: "000000", groups: [],
      creditCode: "", employerCreditCodes: [], takesIndividuals: false, state: .active,
      version: 1, created: 0)
    var placedRoot = root
    placedRoot.path = root.id
    let children = (0..<unions).map { number in
      var union = root
      union.id = organizationID(&random)
      union.externalID = "sample-\(number)"
      union.path = root.id + union.id
      union.parentID = root.id
      union.displayName = "示例工会 \(number)"
      union.kind = .enterpriseUnion
      union.level = .basic
      return union
    }
    return [placedRoot] + children
  }
}

/// A hash and its owner, without heap references.
private struct SampleHash: Comparable {
  private let parts: (UInt64, UInt64, UInt64, UInt64)
  let owner: Int

  init(_ digest: [UInt8], owner: Int) {
    func part(_ index: Int) -> UInt64 {
      digest[(8 * index)..<(8 * index + 8)].reduce(0) { $0 << 8 | UInt64($1) }
    }
    parts = (part(0), part(1), part(2), part(3))
    self.owner = owner
  }

  var bytes: [UInt8] {
    [parts.0, parts.1, parts.2, parts.3].flatMap { part in
      withUnsafeBytes(of: part.bigEndian) { Array($0) }
    }
  }

  static func < (left: Self, right: Self) -> Bool { left.parts < right.parts }
  static func == (left: Self, right: Self) -> Bool { left.parts == right.parts }
}
