public import Storage

/// The schema's migrations: append only. Identifiers are the 32 hex digits of resource names,
/// instants are microseconds since 1970, days are days since 1970-01-01 in China, enums their
/// numbers.
public enum StationsMigrations {
  /// Every migration, in the order in which they are applied.
  public static let all = [
    Migration(
      "0001 organizations from the members' feed",
      sql: """
        CREATE TABLE organization (
          id TEXT PRIMARY KEY, parent_id TEXT NOT NULL, state INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX organization_parent ON organization (parent_id);
        CREATE TABLE organization_ancestor (
          organization_id TEXT NOT NULL, ancestor_id TEXT NOT NULL,
          PRIMARY KEY (organization_id, ancestor_id)
        ) STRICT;
        CREATE INDEX organization_descendant
          ON organization_ancestor (ancestor_id, organization_id);
        CREATE TABLE member_code (
          code_sha256 BLOB PRIMARY KEY, member_id TEXT NOT NULL, occupation_group INTEGER NOT NULL
        ) STRICT;
        """),
    Migration(
      "0002 points and kiosks",
      sql: """
        CREATE TABLE point (
          id TEXT PRIMARY KEY, version INTEGER NOT NULL, display_name TEXT NOT NULL,
          kind INTEGER NOT NULL, state INTEGER NOT NULL,
          latitude REAL NOT NULL, longitude REAL NOT NULL,
          band INTEGER NOT NULL, x REAL NOT NULL, y REAL NOT NULL, z REAL NOT NULL,
          features INTEGER NOT NULL, address TEXT NOT NULL, region_code TEXT NOT NULL,
          facilities INTEGER NOT NULL, capacity INTEGER NOT NULL, organization_id TEXT NOT NULL,
          created_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX point_place ON point (band, longitude, features, x, y, z, id)
          WHERE state = 3;
        CREATE INDEX point_organization ON point (organization_id);
        CREATE TABLE point_state (
          point_id TEXT NOT NULL, version INTEGER NOT NULL, state INTEGER NOT NULL,
          from_at INTEGER NOT NULL,
          PRIMARY KEY (point_id, version)
        ) STRICT;
        CREATE TABLE kiosk (
          id TEXT PRIMARY KEY, version INTEGER NOT NULL, point_id TEXT NOT NULL,
          display_name TEXT NOT NULL, key_sha256 BLOB NOT NULL UNIQUE,
          created_at INTEGER NOT NULL, revoked_at INTEGER
        ) STRICT;
        CREATE INDEX kiosk_point ON kiosk (point_id);
        """),
    Migration(
      "0003 visits", sql: visits(time: "", end: "STRICT"),
      postgres: visits(time: ", received_at", end: "PARTITION BY RANGE (received_at)")
        + "\nCREATE TABLE visit_default PARTITION OF visit DEFAULT;"),
    Migration(
      "0004 erased members",
      sql: """
        CREATE TABLE erased_member (
          member_id TEXT PRIMARY KEY, code_sha256 BLOB NOT NULL
        ) STRICT;
        CREATE INDEX visit_member ON visit (member_id) WHERE member_id IS NOT NULL;
        CREATE INDEX visit_set_aside ON visit (code_sha256) WHERE state = 4;
        CREATE INDEX visit_day_member_member ON visit_day_member (member_id);
        """),
    Migration(
      "0005 codes of merged records",
      sql: """
        CREATE TABLE merged_code (
          code_sha256 BLOB PRIMARY KEY, survivor_id TEXT NOT NULL
        ) STRICT;
        CREATE INDEX merged_code_survivor ON merged_code (survivor_id);
        """),
  ]

  /// On PostgreSQL visits are partitioned by the month of receipt, which every unique key there has
  /// to include. That a visit is stored once is therefore ensured by the guards on its kiosk's
  /// epoch and its point's tally, on both engines.
  static let visitMonths = MonthlyTable("visit", by: "received_at")

  private static func visits(time: String, end: String) -> String {
    """
    CREATE TABLE kiosk_epoch (
      kiosk_id TEXT NOT NULL, epoch TEXT NOT NULL, acknowledged_sequence INTEGER NOT NULL,
      skew_ms INTEGER NOT NULL, software_version TEXT NOT NULL,
      first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,
      PRIMARY KEY (kiosk_id, epoch)
    ) STRICT;
    CREATE TABLE visit_tally (
      point_id TEXT PRIMARY KEY, last_number INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE visit (
      point_id TEXT NOT NULL, number INTEGER NOT NULL, id TEXT NOT NULL,
      kiosk_id TEXT NOT NULL, epoch TEXT NOT NULL, sequence INTEGER NOT NULL,
      device_at INTEGER, received_at INTEGER NOT NULL, skew_ms INTEGER NOT NULL,
      day INTEGER NOT NULL, state INTEGER NOT NULL, reason INTEGER NOT NULL,
      direction INTEGER NOT NULL, services INTEGER NOT NULL,
      code_sha256 BLOB, member_id TEXT, occupation_group INTEGER NOT NULL,
      PRIMARY KEY (point_id, number\(time)), UNIQUE (id\(time)),
      UNIQUE (kiosk_id, epoch, sequence\(time))
    ) \(end);
    CREATE INDEX visit_unmatched ON visit (code_sha256) WHERE state = 2;
    CREATE TABLE visit_day (
      point_id TEXT NOT NULL, day INTEGER NOT NULL,
      matched INTEGER NOT NULL, unmatched INTEGER NOT NULL, anonymous INTEGER NOT NULL,
      unique_members INTEGER NOT NULL, set_aside INTEGER NOT NULL,
      PRIMARY KEY (point_id, day)
    ) STRICT;
    CREATE TABLE visit_day_member (
      point_id TEXT NOT NULL, day INTEGER NOT NULL, member_id TEXT NOT NULL,
      PRIMARY KEY (point_id, day, member_id)
    ) STRICT;
    CREATE TABLE stay (
      visit_id TEXT PRIMARY KEY, point_id TEXT NOT NULL, code_sha256 BLOB,
      arrived_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX stay_point ON stay (point_id, arrived_at);
    """
  }
}
