import Storage

extension MembersMigrations {
  /// People of rosters to be contacted. Entries have keys of their own, because they are not
  /// persons of the registry.
  static let outreach = Migration(
    "0027 outreach lists",
    sql: """
      CREATE TABLE outreach_lists (
        id TEXT NOT NULL PRIMARY KEY,
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        display_name TEXT NOT NULL,
        means INTEGER NOT NULL,
        due_day INTEGER,
        closed INTEGER NOT NULL,
        people INTEGER NOT NULL,
        progress BLOB NOT NULL,
        version INTEGER NOT NULL,
        created INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX outreach_lists_by_organization ON outreach_lists (organization_id);
      CREATE TABLE outreach_entries (
        id TEXT NOT NULL PRIMARY KEY,
        list_id TEXT NOT NULL REFERENCES outreach_lists (id),
        hash BLOB NOT NULL,
        wrapped_key BLOB NOT NULL,
        contact BLOB NOT NULL,
        state INTEGER NOT NULL,
        day INTEGER NOT NULL,
        version INTEGER NOT NULL,
        UNIQUE (list_id, hash)
      ) STRICT;
      CREATE INDEX outreach_entries_by_list ON outreach_entries (list_id, id);
      CREATE INDEX outreach_entries_by_hash ON outreach_entries (hash);
      """)
}
