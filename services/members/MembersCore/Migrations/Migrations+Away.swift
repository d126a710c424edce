import Storage

extension MembersMigrations {
  /// Away reports. A report keeps the organization that managed the member when it was made.
  static let away = Migration(
    "0025 away ledger",
    sql: """
      CREATE TABLE away_reports (
        id TEXT NOT NULL PRIMARY KEY,
        member_id TEXT NOT NULL,
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        state INTEGER NOT NULL,
        departure_day INTEGER NOT NULL,
        return_day INTEGER NOT NULL,
        details BLOB NOT NULL,
        reporter TEXT NOT NULL,
        sample TEXT,
        check_result INTEGER NOT NULL,
        version INTEGER NOT NULL,
        created INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX away_reports_by_organization
        ON away_reports (organization_id, state, id);
      CREATE INDEX away_reports_by_member ON away_reports (member_id);
      CREATE TABLE open_away_reports (
        member_id TEXT NOT NULL PRIMARY KEY,
        report_id TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      """)

  /// The organization that manages a report's member now, for lists of reports by subtree.
  static let awayManagers = Migration(
    "0029 managing organizations of away reports",
    sql: """
      ALTER TABLE away_reports ADD COLUMN managing_organization_id TEXT NOT NULL DEFAULT '';
      UPDATE away_reports SET managing_organization_id = (
        SELECT m.managing_organization_id FROM memberships AS m WHERE m.id = away_reports.member_id
      );
      DROP INDEX away_reports_by_organization;
      CREATE INDEX away_reports_by_manager
        ON away_reports (managing_organization_id, state, id);
      CREATE INDEX away_reports_by_state ON away_reports (state);
      """)
}
