import Storage

extension MembersMigrations {
  /// Staff read their queue by organization and state, partners what they made; each in the order
  /// in which it is listed.
  static let enrollmentLists = Migration(
    "0020 lists of enrollments",
    sql: """
      CREATE INDEX enrollments_by_organization
        ON enrollments (organization_id, state, created, id);
      CREATE INDEX enrollments_by_caller ON enrollments (caller, created, id);
      """)
}
