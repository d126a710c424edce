import Storage

extension MembersMigrations {
  /// Units are found by a keyed hash, because employment is personal data. `unit_queue` holds the
  /// members whose unit must be determined again, `unit_members` the unit in which each member is
  /// counted.
  static let units = Migration(
    "0024 units",
    sql: """
      ALTER TABLE region_settings ADD COLUMN unit_threshold INTEGER NOT NULL DEFAULT 25;
      CREATE TABLE units (
        id TEXT NOT NULL PRIMARY KEY,
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        hash BLOB NOT NULL,
        wrapped_key BLOB NOT NULL,
        identity BLOB NOT NULL,
        state INTEGER NOT NULL,
        members INTEGER NOT NULL,
        crossings INTEGER NOT NULL,
        union_id TEXT,
        version INTEGER NOT NULL,
        created INTEGER NOT NULL,
        UNIQUE (organization_id, hash)
      ) STRICT;
      CREATE TABLE unit_members (
        member_id TEXT NOT NULL PRIMARY KEY,
        unit_id TEXT NOT NULL REFERENCES units (id)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX unit_members_by_unit ON unit_members (unit_id);
      CREATE TABLE unit_queue (
        member_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        PRIMARY KEY (member_id, version)
      ) STRICT, WITHOUT ROWID;
      INSERT INTO unit_queue (member_id, version)
        SELECT id, version FROM memberships WHERE details IS NOT NULL;
      """)

  /// `unit_moves` holds the organizations whose members are counted in another township since they
  /// were moved, with the number of the last member that is queued.
  static let unitMoves = Migration(
    "0030 units of moved organizations and of dissolved unions",
    sql: """
      CREATE TABLE unit_moves (
        organization_id TEXT NOT NULL PRIMARY KEY REFERENCES organizations (id),
        after_number TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX units_by_union ON units (union_id);
      """)

  /// One row: the number of changes of thresholds, and the last unit that was reviewed since the
  /// last change; NULL if all were. Without the row, none was.
  static let unitThresholds = Migration(
    "0036 reviews of units after changes of thresholds",
    sql: """
      CREATE TABLE unit_thresholds (
        id INTEGER NOT NULL PRIMARY KEY,
        version INTEGER NOT NULL,
        reviewed_to TEXT
      ) STRICT;
      """)
}
