internal import Crypto

/// The engine-owned tables: the migrations of this module, applied when a store is opened.
public enum StorageSchema {
  /// The list of migrations to which a row of `storage_migration` belongs.
  public enum Component: String, Sendable {
    /// The migrations of this module.
    case storage
    /// The migrations of the service.
    case service
  }

  /// The table of applied migrations, created before all others.
  public static let migrationTable = """
    CREATE TABLE IF NOT EXISTS storage_migration (
      component TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL,
      checksum BLOB NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (component, position))
    """

  /// The query of the applied migrations of a component, in order.
  public static func applied(_ component: Component) -> Query<[AppliedMigration]> {
    .all(
      """
      SELECT name, checksum FROM storage_migration WHERE component = ?1 ORDER BY position
      """, [component.rawValue]
    ) { row in
      AppliedMigration(name: try row.text("name"), checksum: try row.blob("checksum"))
    }
  }

  /// Whether rows are being moved into the store, or a move into it did not finish.
  public static let isMoving = Query<Bool>.exists(
    "SELECT value FROM storage_meta WHERE name = 'moving'")

  /// The audit log of every store. Partitioned by month on PostgreSQL, where its primary key
  /// therefore includes the time.
  public static let auditMonths = MonthlyTable("storage_audit", by: "time")

  /// The migrations of the engine-owned tables.
  public static let migrations = [
    Migration(
      "0001 meta, outbox, audit, requests, consumers",
      sql: tables(time: "", end: "STRICT, WITHOUT ROWID"),
      postgres: tables(time: ", time", end: "PARTITION BY RANGE (time)")
        + "\nCREATE TABLE storage_audit_default PARTITION OF storage_audit DEFAULT;"),
    Migration(
      "0002 keys",
      sql: """
        CREATE TABLE storage_key (
          keyring TEXT NOT NULL, key INTEGER NOT NULL, mark BLOB NOT NULL,
          PRIMARY KEY (keyring, key)) STRICT, WITHOUT ROWID;
        """),
    Migration(
      "0003 kept events",
      sql: """
        CREATE TABLE storage_kept (
          entity TEXT NOT NULL PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        INSERT INTO storage_kept (entity, position)
          SELECT entity, max(position) FROM storage_outbox
          WHERE position <= (SELECT value FROM storage_meta WHERE name = 'feed_floor')
          GROUP BY entity;
        DELETE FROM storage_outbox WHERE position < (
          SELECT k.position FROM storage_kept AS k WHERE k.entity = storage_outbox.entity);
        ALTER TABLE storage_consumer ADD COLUMN catching_up INTEGER NOT NULL DEFAULT 0;
        """),
    Migration(
      "0004 count of audit chains",
      sql: """
        INSERT INTO storage_meta (name, value)
          SELECT 'audit_chains', count(*) FROM storage_audit_head;
        """),
    // What each audience loses is stored from now on; before, each has lost what was purged.
    Migration(
      "0005 events lost",
      sql: """
        INSERT INTO storage_meta (name, value)
          SELECT 'feed_lost', value FROM storage_meta WHERE name = 'feed_floor';
        """),
  ]

  private static func tables(time: String, end: String) -> String {
    """
    CREATE TABLE storage_meta (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT;
    CREATE TABLE storage_outbox (
      position INTEGER PRIMARY KEY, entity TEXT NOT NULL, version INTEGER NOT NULL,
      kind TEXT NOT NULL, payload BLOB NOT NULL, audience TEXT, time INTEGER NOT NULL) STRICT;
    CREATE INDEX storage_outbox_audience ON storage_outbox (audience, position)
      WHERE audience IS NOT NULL;
    CREATE TABLE storage_audit (
      chain TEXT NOT NULL, sequence INTEGER NOT NULL, time INTEGER NOT NULL,
      actor TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL, reason TEXT NOT NULL,
      detail BLOB NOT NULL, hash BLOB NOT NULL,
      PRIMARY KEY (chain, sequence\(time))) \(end);
    CREATE TABLE storage_audit_head (
      chain TEXT NOT NULL PRIMARY KEY, sequence INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
    CREATE TABLE storage_request (
      id BLOB NOT NULL PRIMARY KEY, payload BLOB NOT NULL, reply BLOB NOT NULL,
      time INTEGER NOT NULL) STRICT;
    CREATE INDEX storage_request_time ON storage_request (time);
    CREATE TABLE storage_consumer (
      consumer TEXT NOT NULL PRIMARY KEY, epoch INTEGER NOT NULL, position INTEGER NOT NULL,
      time INTEGER NOT NULL) STRICT;
    """
  }

  /// Returns the statement that inserts an event into the outbox.
  public static func insertEvent(
    _ event: OutboxEvent, position: Int64, microseconds: Int64
  ) -> Statement {
    Statement(
      """
      INSERT INTO storage_outbox (position, entity, version, kind, payload, audience, time)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
      """,
      [
        position, event.entity, event.version, event.kind, event.payload, event.audience,
        microseconds,
      ], expects: .exactly(1))
  }
}

/// A migration as recorded in the store.
public struct AppliedMigration: Sendable, Hashable {
  /// The name of the migration.
  public let name: String
  /// The checksum of its text when it was applied.
  public let checksum: [UInt8]

  /// Creates the record of an applied migration.
  public init(name: String, checksum: [UInt8]) {
    self.name = name
    self.checksum = checksum
  }
}

extension Migration {
  /// SHA-256 of the name and the statements, by which edits of released migrations are detected.
  public var checksum: [UInt8] {
    Array(SHA256.hash(data: SealedBox.context(name, sql, postgres ?? "")))
  }

  /// Returns the migrations of `wanted` that follow `applied`, which must be a prefix of it.
  ///
  /// - Throws: `StorageError.newerSchema`, `.changedMigration`.
  public static func missing(
    of wanted: [Migration], after applied: [AppliedMigration]
  ) throws(StorageError) -> ArraySlice<Migration> {
    for (migration, stored) in zip(wanted, applied) {
      guard migration.name == stored.name, migration.checksum == stored.checksum else {
        throw .changedMigration(stored.name)
      }
    }
    guard applied.count <= wanted.count else { throw .newerSchema(applied[wanted.count].name) }
    return wanted.dropFirst(applied.count)
  }

  /// Requires that all of `wanted` are applied.
  ///
  /// - Throws: `StorageError.olderSchema` with the first that is not; as `missing`.
  public static func requireAll(
    of wanted: [Migration], in applied: [AppliedMigration]
  ) throws(StorageError) {
    if let first = try missing(of: wanted, after: applied).first { throw .olderSchema(first.name) }
  }

  /// Returns the statement that records the migration as applied.
  public func remember(
    _ component: StorageSchema.Component, position: Int, microseconds: Int64
  ) -> Statement {
    Statement(
      """
      INSERT INTO storage_migration (component, position, name, checksum, time)
      VALUES (?1, ?2, ?3, ?4, ?5)
      """, [component.rawValue, position, name, checksum, microseconds], expects: .exactly(1))
  }
}
