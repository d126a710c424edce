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
}
