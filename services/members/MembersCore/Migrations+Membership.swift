import Storage

/// What the life of a membership added, numbers 0010 to 0019.
extension MembersMigrations {
  static let membershipLife = Migration(
    "0010 details of members, and why a membership is retained",
    sql: """
      ALTER TABLE memberships ADD COLUMN details BLOB;
      ALTER TABLE membership_log ADD COLUMN retention INTEGER NOT NULL DEFAULT 0;
      """)
}
