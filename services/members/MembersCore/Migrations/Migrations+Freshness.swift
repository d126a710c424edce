import Storage

extension MembersMigrations {
  static let freshness = Migration(
    "0026 freshness and honors",
    sql: """
      CREATE TABLE confirmations (
        member_id TEXT NOT NULL PRIMARY KEY,
        day INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE refresh_rounds (
        id TEXT NOT NULL PRIMARY KEY,
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        open_day INTEGER NOT NULL,
        due_day INTEGER NOT NULL,
        closed INTEGER NOT NULL,
        version INTEGER NOT NULL,
        created INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE refresh_records (
        round_id TEXT NOT NULL REFERENCES refresh_rounds (id),
        member_id TEXT NOT NULL,
        state INTEGER NOT NULL,
        day INTEGER NOT NULL,
        PRIMARY KEY (round_id, member_id)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX refresh_records_by_member ON refresh_records (member_id);
      CREATE TABLE honors (
        source_event TEXT NOT NULL PRIMARY KEY,
        member_id TEXT NOT NULL,
        title TEXT NOT NULL,
        day INTEGER NOT NULL,
        revoked INTEGER NOT NULL,
        version INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX honors_by_member ON honors (member_id, day);
      """)

  /// A round counts its records, which were counted whenever its progress was asked for.
  static let countedRounds = Migration(
    "0040 the number of a refresh round's records by state",
    sql: """
      ALTER TABLE refresh_rounds ADD COLUMN stale_records INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE refresh_rounds ADD COLUMN confirmed_records INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE refresh_rounds ADD COLUMN unreachable_records INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE refresh_rounds ADD COLUMN ended_records INTEGER NOT NULL DEFAULT 0;
      UPDATE refresh_rounds SET
        stale_records = (SELECT count(*) FROM refresh_records AS r
          WHERE r.round_id = refresh_rounds.id AND r.state = 1),
        confirmed_records = (SELECT count(*) FROM refresh_records AS r
          WHERE r.round_id = refresh_rounds.id AND r.state = 2),
        unreachable_records = (SELECT count(*) FROM refresh_records AS r
          WHERE r.round_id = refresh_rounds.id AND r.state = 3),
        ended_records = (SELECT count(*) FROM refresh_records AS r
          WHERE r.round_id = refresh_rounds.id AND r.state = 4);
      """)
}
