import GoogleProtobuf
import GoogleType
import MembersV1
import Protobuf
import ServiceKit
import Storage

/// An outreach list as stored.
struct StoredOutreachList: Sendable, Hashable {
  var id: String
  var organizationID: String
  var displayName: String
  var means: OutreachMeans
  /// The due day in days since 1970-01-01.
  var dueDay: Int?
  var isClosed: Bool
  /// The number of people ever added.
  var people: Int
  /// A serialized `OutreachList` with the final progress; empty while the list is open.
  var progress: [UInt8]
  var version: Int64
  /// The creation in microseconds since 1970.
  var created: Int64

  /// - Parameter counts: The number of people by state.
  func message(_ counts: [OutreachState: Int64] = [:]) throws -> OutreachList {
    var message = try OutreachList(wireBytes: progress)
    if !isClosed { message.counts = Self.counts(counts) }
    message.name = "outreachLists/\(id)"
    message.organization = "organizations/\(organizationID)"
    message.displayName = displayName
    message.means = means
    message.dueDate = dueDay.map(GoogleType.Date.day)
    message.closed = isClosed
    message.createTime = Timestamp(microseconds: created)
    message.etag = Etag.text(version)
    return message
  }

  static func counts(_ counts: [OutreachState: Int64]) -> [OutreachCount] {
    counts.sorted { $0.key.rawValue < $1.key.rawValue }.map { state, people in
      .with {
        $0.state = state
        $0.people = people
      }
    }
  }
}

extension StoredOutreachList {
  /// The inputs of its state machine: it is open until it is closed.
  enum Input: Sendable, CaseIterable {
    /// People are added.
    case add
    case close
  }

  /// Pure.
  ///
  /// - Throws: ``MembersError/outreachState`` if it is closed.
  mutating func apply(_ input: Input) throws(MembersError) {
    guard !isClosed else { throw .outreachState }
    guard input == .close else { return }
    isClosed = true
    version += 1
  }
}

/// A list with the position of its organization in the tree.
struct PlacedOutreachList: Sendable, Hashable {
  var list: StoredOutreachList
  var path: String
}

/// An entry of an outreach list as stored.
struct StoredOutreachEntry: Sendable, Hashable {
  var id: String
  var listID: String
  /// The hash of the resident ID under the current key.
  var hash: [UInt8]
  /// The hash under the previous key, or the same as `hash` if that key is retired.
  var olderHash: [UInt8]?
  var wrappedKey: [UInt8]
  /// An `OutreachContact`, sealed under the entry's own key.
  var contact: [UInt8]
  /// The recorded state, or JOINED if queries derived it from a live membership.
  var state: OutreachState
  var day: Int
  var version: Int64

  /// The entry's message without name and phone.
  var message: OutreachEntry {
    var message = OutreachEntry()
    message.name = "outreachEntries/\(id)"
    message.list = "outreachLists/\(listID)"
    message.state = state
    message.date = .day(day)
    message.etag = Etag.text(version)
    return message
  }
}

extension MembersKeys {
  func contact(of entry: StoredOutreachEntry) throws -> OutreachContact {
    let key = try cipher.personKey(entry.wrappedKey, person: entry.id)
    return try OutreachContact(
      wireBytes: key.open(entry.contact, table: OutreachStore.table, column: "contact"))
  }

  /// - Parameter digest: The SHA-256 of the normalized resident ID.
  func newEntry(
    id: String, of listID: String, _ contact: OutreachContact, digest: [UInt8], day: Int
  ) throws -> StoredOutreachEntry? {
    guard let hashes = residentIDs.candidates(sha256: digest) else { return nil }
    var contact = contact
    contact.residentIDSHA256 = digest
    let (key, wrapped) = try cipher.newPersonKey(person: id)
    return StoredOutreachEntry(
      id: id, listID: listID, hash: hashes[0], olderHash: hashes.last, wrappedKey: wrapped,
      contact: try key.seal(
        try contact.wireBytes(), table: OutreachStore.table, column: "contact"),
      state: .open, day: day, version: 1)
  }
}

/// The SQL of outreach lists.
enum OutreachStore {
  static let table = "outreach_entries"

  private static let list =
    "\(columns) FROM outreach_lists AS l JOIN organizations AS o ON o.id = l.organization_id"

  private static let columns = """
    SELECT l.id, l.organization_id, l.display_name, l.means, l.due_day, l.closed, l.people, \
    l.progress, l.version, l.created, o.path
    """

  static func byID(_ id: String) -> Query<PlacedOutreachList?> {
    .first("\(list) WHERE l.id = ?1", [id], placed)
  }

  static let rows = ListRows(of: "outreach_lists AS l")

  static func page(
    of range: PathRange, withClosed: Bool, by plan: ListPlan, after path: String,
    _ id: String, limit: Int
  ) -> Query<[PlacedOutreachList]> {
    let column = plan.path("o.path")
    return .all(
      """
      \(columns) FROM \(plan.tables("outreach_lists AS l"))
      WHERE o.id = l.organization_id AND \(column) >= ?1 AND \(column) < ?2 AND \(column) >= ?4
        AND l.closed <= ?3 AND (o.path, l.id) > (?4, ?5)
      ORDER BY o.path, l.id LIMIT ?6
      """, [range.first, range.end, withClosed, path, id, limit], placed)
  }

  /// The entries with the state JOINED derived from the registry for live members.
  private static let entries = """
    SELECT e.id, e.list_id, e.hash, e.older_hash, e.wrapped_key, e.contact, e.day, e.version, \
    CASE WHEN EXISTS ( \
    SELECT 1 FROM person_hashes AS h \
    LEFT JOIN merges AS x ON x.merged_id = h.person_id AND x.undone IS NULL \
    JOIN memberships AS m ON m.id = COALESCE(x.survivor_id, h.person_id) \
    WHERE h.hash IN (e.hash, e.older_hash) AND h.place = '' \
    AND m.state IN (\(MembershipState.live.map { String($0.rawValue) }.joined(separator: ", "))) \
    ) THEN \(OutreachState.joined.rawValue) ELSE e.state END AS state FROM outreach_entries AS e
    """

  static func entry(_ id: String) -> Query<StoredOutreachEntry?> {
    .first("\(entries) WHERE e.id = ?1", [id], stored)
  }

  /// Returns the list of an entry.
  static func list(ofEntry id: String) -> Query<PlacedOutreachList?> {
    .first(
      "\(list) WHERE l.id = (SELECT list_id FROM outreach_entries WHERE id = ?1)", [id], placed)
  }

  static func page(
    of listID: String, states: [OutreachState], after id: SQLValue, limit: Int
  ) -> Query<[StoredOutreachEntry]> {
    let wanted = states.map { String($0.rawValue) }.joined(separator: ", ")
    return .all(
      """
      SELECT id, list_id, hash, older_hash, wrapped_key, contact, day, version, state
      FROM (\(entries) WHERE e.list_id = ?1 AND e.id > ?2) AS found
      WHERE state IN (\(wanted)) ORDER BY id LIMIT ?3
      """, [listID, id, limit], stored)
  }

  static func counts(of listID: String) -> Query<[OutreachState: Int64]> {
    Query(
      """
      SELECT state, count(*) AS people FROM (\(entries) WHERE e.list_id = ?1) AS found
      GROUP BY state
      """, [listID]
    ) { rows in
      try Dictionary(
        uniqueKeysWithValues: rows.map {
          (OutreachState(rawValue: try $0.int32("state")), try $0.integer("people"))
        })
    }
  }

  /// Returns those of the hashes that a list contains.
  static func known(_ hashes: [[UInt8]], in listID: String) -> Query<Set<[UInt8]>> {
    let list = InList(hashes, first: 2)
    return Query(
      """
      SELECT hash FROM outreach_entries WHERE list_id = ?1 AND hash IN \(list.sql)
      UNION SELECT older_hash FROM outreach_entries
      WHERE list_id = ?1 AND older_hash IN \(list.sql)
      """, [listID] + list.arguments
    ) { rows in Set(try rows.map { try $0.blob("hash") }) }
  }

  /// Returns the entries of a person.
  static func all(of hashes: [KeyedHash.Candidate]) -> Query<[StoredOutreachEntry]> {
    let list = InList(hashes.map(\.digest))
    return .all(
      """
      \(entries) WHERE e.id IN (
        SELECT id FROM outreach_entries WHERE hash IN \(list.sql)
        UNION SELECT id FROM outreach_entries WHERE older_hash IN \(list.sql))
      ORDER BY e.id
      """, list.arguments, stored)
  }

  /// Returns entries of all lists, for key rotation.
  static func page(after id: String, limit: Int) -> Query<[StoredOutreachEntry]> {
    .all(
      """
      SELECT id, list_id, hash, older_hash, wrapped_key, contact, day, version, state
      FROM outreach_entries
      WHERE id > ?1 ORDER BY id LIMIT ?2
      """, [id, limit], stored)
  }

  static func insert(_ list: StoredOutreachList) -> Statement {
    Statement(
      """
      INSERT INTO outreach_lists (
        id, organization_id, display_name, means, due_day, closed, people, progress, version,
        created
      ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
      """,
      [
        list.id, list.organizationID, list.displayName, list.means.rawValue, list.dueDay,
        list.isClosed, list.people, list.progress, list.version, list.created,
      ], expects: .exactly(1))
  }

  /// Adds entries to an open list; the guard detects concurrent additions.
  static func add(
    _ entries: [StoredOutreachEntry], to list: StoredOutreachList, into commit: inout Commit
  ) {
    commit.run(
      """
      UPDATE outreach_lists SET people = people + ?2 WHERE id = ?1 AND people = ?3 AND closed = 0
      """, [list.id, entries.count, list.people], expects: .exactly(1))
    commit.insert(
      into: table,
      [
        "id", "list_id", "hash", "older_hash", "wrapped_key", "contact", "state", "day", "version",
      ],
      entries.map { entry in
        [
          entry.id, entry.listID, entry.hash, entry.olderHash, entry.wrappedKey, entry.contact,
          entry.state.rawValue, entry.day, entry.version,
        ]
      })
  }

  /// - Parameter entry: The changed entry, with its version incremented.
  static func update(_ entry: StoredOutreachEntry) -> Statement {
    Statement(
      """
      UPDATE outreach_entries SET state = ?2, day = ?3, version = ?4
      WHERE id = ?1 AND version = ?4 - 1
      """, [entry.id, entry.state.rawValue, entry.day, entry.version], expects: .exactly(1))
  }

  /// Closes a list and deletes its entries.
  static func close(_ list: StoredOutreachList, into commit: inout Commit) {
    commit.run(
      """
      UPDATE outreach_lists SET closed = 1, progress = ?3, version = ?2
      WHERE id = ?1 AND version = ?2 - 1 AND people = ?4
      """, [list.id, list.version, list.progress, list.people], expects: .exactly(1))
    commit.run("DELETE FROM outreach_entries WHERE list_id = ?1", [list.id])
  }

  /// Deletes the entries of an erased person.
  static func erase(_ hashes: [KeyedHash.Candidate], into commit: inout Commit) {
    for candidate in hashes {
      for column in ["hash", "older_hash"] {
        commit.run("DELETE FROM outreach_entries WHERE \(column) = ?1", [candidate.digest])
      }
    }
  }

  @Sendable private static func placed(_ row: Row) throws -> PlacedOutreachList {
    PlacedOutreachList(
      list: StoredOutreachList(
        id: try row.text("id"), organizationID: try row.text("organization_id"),
        displayName: try row.text("display_name"),
        means: OutreachMeans(rawValue: try row.int32("means")),
        dueDay: try row.optionalInt("due_day"), isClosed: try row.boolean("closed"),
        people: try row.int("people"), progress: try row.blob("progress"),
        version: try row.integer("version"), created: try row.integer("created")),
      path: try row.text("path"))
  }

  @Sendable private static func stored(_ row: Row) throws -> StoredOutreachEntry {
    StoredOutreachEntry(
      id: try row.text("id"), listID: try row.text("list_id"), hash: try row.blob("hash"),
      olderHash: try row.optionalBlob("older_hash"),
      wrappedKey: try row.blob("wrapped_key"), contact: try row.blob("contact"),
      state: OutreachState(rawValue: try row.int32("state")), day: try row.int("day"),
      version: try row.integer("version"))
  }
}

extension OutboxEvent {
  /// Returns the event of a created or closed list.
  static func changed(_ list: StoredOutreachList) throws -> OutboxEvent {
    OutboxEvent(
      entity: "outreachLists/\(list.id)", version: list.version,
      kind: MemberEventKind.outreachListChanged.rawValue,
      payload: try list.message().wireBytes())
  }
}
