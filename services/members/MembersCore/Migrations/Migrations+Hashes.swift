import Storage

extension MembersMigrations {
  /// Hashes of units and outreach entries under the previous key: replicas that load a new key at
  /// different times still find each other's rows.
  static let olderHashes = Migration(
    "0028 older hashes of units and outreach entries",
    sql: """
      ALTER TABLE units ADD COLUMN older_hash BLOB;
      CREATE INDEX units_by_older_hash ON units (older_hash);
      ALTER TABLE outreach_entries ADD COLUMN older_hash BLOB;
      CREATE INDEX outreach_entries_by_older_hash ON outreach_entries (older_hash);
      """)
}
