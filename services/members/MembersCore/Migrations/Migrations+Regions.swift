import Storage

extension MembersMigrations {
  /// Settings of regions belong to the store: the configuration gives initial values only. The
  /// routing rules are a list in the order in which they are tried.
  static let regionRules = Migration(
    "0032 routing rules of regions",
    sql: """
      ALTER TABLE region_settings ADD COLUMN rules TEXT NOT NULL DEFAULT '';
      ALTER TABLE region_settings ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
      UPDATE region_settings SET rules =
        CASE pool_first WHEN 0 THEN '' ELSE 'HOLDING_POOL ' END
        || 'EMPLOYER_UNION INDUSTRY_FEDERATION '
        || CASE new_form_federation WHEN 0 THEN 'AREA_UNION' ELSE 'NEW_FORM_FEDERATION' END
        || CASE pool_first WHEN 0 THEN ' HOLDING_POOL' ELSE '' END;
      ALTER TABLE region_settings DROP COLUMN pool_first;
      ALTER TABLE region_settings DROP COLUMN new_form_federation;
      """)

  /// `transfer_id` is the open transfer that a merge cancelled, and that its undo opens again.
  /// Records of people who left end in the rounds that were open.
  static let mergedTransfers = Migration(
    "0033 transfers of merged records, and ended records of refresh rounds",
    sql: """
      ALTER TABLE merges ADD COLUMN transfer_id TEXT;
      UPDATE refresh_records SET state = 4 WHERE state IN (1, 3)
        AND round_id IN (SELECT id FROM refresh_rounds WHERE closed = 0)
        AND member_id IN (SELECT id FROM memberships WHERE state IN (4, 5, 6, 7));
      CREATE INDEX refresh_rounds_by_organization ON refresh_rounds (organization_id);
      """)

  /// Who reviewed an away report: whoever recorded or reviewed it cannot check it.
  static let awayReviewers = Migration(
    "0034 reviewers of away reports",
    sql: "ALTER TABLE away_reports ADD COLUMN reviewer TEXT NOT NULL DEFAULT '';")

  /// For lists of the few rows that wait for somebody: their cost does not grow with the number of
  /// organizations.
  static let waitingRows = Migration(
    "0035 enrollments and units that wait",
    sql: """
      CREATE INDEX enrollments_waiting ON enrollments (state) WHERE state IN (2, 3);
      CREATE INDEX units_by_state ON units (state);
      """)
}
