import Storage

/// The migrations 0010 to 0014, on the life of memberships.
extension MembersMigrations {
  static let membershipLife = Migration(
    "0010 details of members, and why a membership is retained",
    sql: """
      ALTER TABLE memberships ADD COLUMN details BLOB;
      ALTER TABLE membership_log ADD COLUMN retention INTEGER NOT NULL DEFAULT 0;
      """)

  static let pool = Migration(
    "0011 cases of the holding pool",
    sql: """
      ALTER TABLE region_settings ADD COLUMN pool_days INTEGER NOT NULL DEFAULT 15;
      ALTER TABLE region_settings ADD COLUMN pool_custodian TEXT NOT NULL DEFAULT '';
      CREATE TABLE pool_cases (
        id TEXT NOT NULL PRIMARY KEY,
        member_id TEXT NOT NULL,
        state INTEGER NOT NULL,
        pool_id TEXT NOT NULL REFERENCES organizations (id),
        custodian_id TEXT NOT NULL REFERENCES organizations (id),
        receiver_id TEXT REFERENCES organizations (id),
        due_day INTEGER NOT NULL,
        days INTEGER NOT NULL,
        level INTEGER NOT NULL,
        returns INTEGER NOT NULL,
        version INTEGER NOT NULL,
        created INTEGER NOT NULL
      ) STRICT;
      CREATE UNIQUE INDEX pool_cases_open ON pool_cases (member_id) WHERE state IN (1, 2);
      CREATE INDEX pool_cases_due ON pool_cases (due_day, id) WHERE state IN (1, 2);
      CREATE INDEX pool_cases_by_pool ON pool_cases (pool_id, due_day, id);
      CREATE INDEX pool_cases_by_custodian ON pool_cases (custodian_id, due_day, id);
      CREATE INDEX pool_cases_by_receiver ON pool_cases (receiver_id, due_day, id);
      CREATE TABLE pool_case_log (
        case_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        action TEXT NOT NULL,
        state INTEGER NOT NULL,
        custodian_id TEXT NOT NULL,
        receiver_id TEXT,
        due_day INTEGER NOT NULL,
        actor TEXT NOT NULL,
        created INTEGER NOT NULL,
        PRIMARY KEY (case_id, version)
      ) STRICT, WITHOUT ROWID;
      """)

  static let transfers = Migration(
    "0012 transfers",
    sql: """
      ALTER TABLE region_settings ADD COLUMN transfer_days INTEGER NOT NULL DEFAULT 15;
      ALTER TABLE organization_codes ADD COLUMN accepts_transfers INTEGER NOT NULL DEFAULT 0;
      CREATE TABLE transfers (
        id TEXT NOT NULL PRIMARY KEY,
        member_id TEXT NOT NULL,
        state INTEGER NOT NULL,
        from_id TEXT NOT NULL REFERENCES organizations (id),
        to_id TEXT NOT NULL REFERENCES organizations (id),
        handler_id TEXT NOT NULL REFERENCES organizations (id),
        due_day INTEGER NOT NULL,
        expiry_day INTEGER NOT NULL,
        level INTEGER NOT NULL,
        version INTEGER NOT NULL,
        created INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX transfers_by_member ON transfers (member_id, due_day, id);
      CREATE INDEX transfers_by_receiver ON transfers (to_id, due_day, id);
      CREATE INDEX transfers_due ON transfers (due_day, id) WHERE state = 1;
      CREATE TABLE open_transfers (
        member_id TEXT NOT NULL PRIMARY KEY,
        transfer_id TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      """)

  static let duplicates = Migration(
    "0013 duplicates that people judged, and merges",
    sql: """
      ALTER TABLE duplicate_cases ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
      CREATE INDEX duplicate_cases_by_state ON duplicate_cases (state, created, id);
      CREATE TABLE merges (
        id TEXT NOT NULL PRIMARY KEY,
        duplicate_id TEXT NOT NULL REFERENCES duplicate_cases (id),
        survivor_id TEXT NOT NULL,
        merged_id TEXT NOT NULL,
        former_state INTEGER NOT NULL,
        join_day INTEGER NOT NULL,
        created INTEGER NOT NULL,
        undone INTEGER
      ) STRICT;
      CREATE UNIQUE INDEX merges_standing ON merges (merged_id) WHERE undone IS NULL;
      CREATE INDEX merges_by_survivor ON merges (survivor_id);
      CREATE INDEX merges_by_duplicate ON merges (duplicate_id);
      """)

  /// The open correction and the open away report of a record that a merge ended, and that its undo
  /// opens again; `away_state` is the report's state before.
  static let mergedItems = Migration(
    "0038 corrections and away reports of merged records",
    sql: """
      ALTER TABLE merges ADD COLUMN correction_id TEXT;
      ALTER TABLE merges ADD COLUMN away_report_id TEXT;
      ALTER TABLE merges ADD COLUMN away_state INTEGER NOT NULL DEFAULT 0;
      """)

  static let corrections = Migration(
    "0014 corrections of personal data",
    sql: """
      CREATE TABLE corrections (
        id TEXT NOT NULL PRIMARY KEY,
        member_id TEXT NOT NULL,
        state INTEGER NOT NULL,
        data BLOB NOT NULL,
        version INTEGER NOT NULL,
        created INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX corrections_by_member ON corrections (member_id, created, id);
      CREATE INDEX corrections_by_state ON corrections (state, created, id);
      CREATE TABLE open_corrections (
        member_id TEXT NOT NULL PRIMARY KEY,
        correction_id TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      """)
}
