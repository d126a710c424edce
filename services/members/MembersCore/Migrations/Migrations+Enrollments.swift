import Storage

extension MembersMigrations {
  /// Indexes for the lists of enrollments, in list order: staff list by organization and state,
  /// partners by caller.
  static let enrollmentLists = Migration(
    "0020 lists of enrollments",
    sql: """
      CREATE INDEX enrollments_by_organization
        ON enrollments (organization_id, state, created, id);
      CREATE INDEX enrollments_by_caller ON enrollments (caller, created, id);
      """)
}
