import Storage

extension MembersMigrations {
  /// The number of rows that an organization's staff compared per day.
  static let rosterQuotas = Migration(
    "0023 quotas of roster comparison",
    sql: """
      CREATE TABLE roster_quotas (
        organization_id TEXT NOT NULL,
        day INTEGER NOT NULL,
        compared INTEGER NOT NULL,
        PRIMARY KEY (organization_id, day)
      ) STRICT, WITHOUT ROWID;
      """)
}
