import Storage

extension MembersMigrations {
  /// What units and entries of outreach lists are found by under the key before the current one
  /// too: of replicas that take up a new key at different moments, each finds what another stored.
  static let olderHashes = Migration(
    "0028 older hashes of units and outreach entries",
    sql: """
      ALTER TABLE units ADD COLUMN older_hash BLOB;
      CREATE INDEX units_by_older_hash ON units (older_hash);
      ALTER TABLE outreach_entries ADD COLUMN older_hash BLOB;
      CREATE INDEX outreach_entries_by_older_hash ON outreach_entries (older_hash);
      """)
}
