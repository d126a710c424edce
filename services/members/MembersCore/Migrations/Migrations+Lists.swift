import Storage

extension MembersMigrations {
  /// Partial indexes for lists of few rows among many.
  ///
  /// - Memberships in any state but ACTIVE, so that most enrollments do not touch the index.
  /// - Pool cases: the open ones apart from the closed ones, which only accumulate. A row is in
  ///   either half, so that a case is still inserted into as many indexes as before.
  /// - Possible duplicates by the organization that manages the first person's membership, or else
  ///   of the enrollment; it moves along with the membership.
  static let rareRows = Migration(
    "0037 lists of rare members, of open pool cases and of duplicates in a subtree",
    sql: """
      CREATE INDEX memberships_not_active ON memberships (state, managing_organization_id)
        WHERE state <> 2;
      DROP INDEX pool_cases_by_pool;
      DROP INDEX pool_cases_by_custodian;
      DROP INDEX pool_cases_by_receiver;
      CREATE INDEX pool_cases_open_by_pool ON pool_cases (pool_id, due_day, id)
        WHERE state IN (1, 2);
      CREATE INDEX pool_cases_open_by_custodian ON pool_cases (custodian_id, due_day, id)
        WHERE state IN (1, 2);
      CREATE INDEX pool_cases_open_by_receiver ON pool_cases (receiver_id, due_day, id)
        WHERE state IN (1, 2);
      CREATE INDEX pool_cases_ended_by_pool ON pool_cases (pool_id, due_day, id)
        WHERE state IN (3, 4);
      CREATE INDEX pool_cases_ended_by_custodian ON pool_cases (custodian_id, due_day, id)
        WHERE state IN (3, 4);
      CREATE INDEX pool_cases_ended_by_receiver ON pool_cases (receiver_id, due_day, id)
        WHERE state IN (3, 4);
      CREATE INDEX pool_cases_ended_by_member ON pool_cases (member_id) WHERE state IN (3, 4);
      ALTER TABLE duplicate_cases ADD COLUMN organization_id TEXT NOT NULL DEFAULT '';
      UPDATE duplicate_cases SET organization_id = COALESCE(
        (SELECT m.managing_organization_id FROM memberships AS m
          WHERE m.id = duplicate_cases.person_id),
        (SELECT e.organization_id FROM enrollments AS e
          WHERE e.id = duplicate_cases.enrollment_id),
        '');
      CREATE INDEX duplicate_cases_by_organization
        ON duplicate_cases (organization_id, state, created, id);
      """)

  /// Corrections by the organization that manages the member, along with whom they move; and the
  /// records of a refresh round by state. A person's possible duplicates and merges, in either
  /// role, are read for an export and ended by an erasure.
  static let ownedRows = Migration(
    "0039 lists of corrections in a subtree, and of a refresh round's records by state",
    sql: """
      ALTER TABLE corrections ADD COLUMN organization_id TEXT NOT NULL DEFAULT '';
      UPDATE corrections SET organization_id = COALESCE(
        (SELECT m.managing_organization_id FROM memberships AS m
          WHERE m.id = corrections.member_id), '');
      CREATE INDEX corrections_by_organization
        ON corrections (organization_id, state, created, id);
      CREATE INDEX duplicate_cases_by_other ON duplicate_cases (other_person_id);
      CREATE INDEX merges_by_merged ON merges (merged_id);
      CREATE INDEX refresh_records_by_state
        ON refresh_records (round_id, state, member_id, day);
      """)
}
