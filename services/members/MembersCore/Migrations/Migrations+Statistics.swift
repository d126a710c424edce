import Storage

extension MembersMigrations {
  /// The counters of subtrees. Each change of a membership appends its effect on the counts; a fold
  /// adds the effects to the counters of the organization and all its ancestors, and deletes them.
  /// Existing memberships are migrated by appending their effects.
  ///
  /// In a counter, `own` counts the members that the organization itself manages, `members` those
  /// of its whole subtree. The organization '' stands for the whole tree. `membership_counts` is
  /// kept: it is updated in the commit of each change, which dissolving an organization relies on.
  static let subtreeCounters = Migration(
    "0021 counters of subtrees",
    sql: """
      CREATE TABLE count_changes (
        member_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        part INTEGER NOT NULL,
        organization_id TEXT NOT NULL,
        state INTEGER NOT NULL,
        occupation_group INTEGER NOT NULL,
        channel INTEGER NOT NULL,
        campaign TEXT NOT NULL,
        day INTEGER NOT NULL,
        members INTEGER NOT NULL,
        joinings INTEGER NOT NULL,
        PRIMARY KEY (member_id, version, part)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE count_folds (
        id INTEGER NOT NULL PRIMARY KEY,
        version INTEGER NOT NULL
      ) STRICT;
      DROP TABLE enrollment_counts;
      CREATE TABLE subtree_enrollments (
        organization_id TEXT NOT NULL,
        day INTEGER NOT NULL,
        occupation_group INTEGER NOT NULL,
        channel INTEGER NOT NULL,
        campaign TEXT NOT NULL,
        own INTEGER NOT NULL,
        members INTEGER NOT NULL,
        PRIMARY KEY (organization_id, day, occupation_group, channel, campaign)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE subtree_members (
        organization_id TEXT NOT NULL,
        state INTEGER NOT NULL,
        occupation_group INTEGER NOT NULL,
        channel INTEGER NOT NULL,
        own INTEGER NOT NULL,
        members INTEGER NOT NULL,
        PRIMARY KEY (organization_id, state, occupation_group, channel)
      ) STRICT, WITHOUT ROWID;
      INSERT INTO count_changes (
        member_id, version, part, organization_id, state, occupation_group, channel, campaign,
        day, members, joinings
      ) SELECT id, version, 1, managing_organization_id, state, occupation_group, channel,
        campaign, 0, 1, 0 FROM memberships;
      INSERT INTO count_changes (
        member_id, version, part, organization_id, state, occupation_group, channel, campaign,
        day, members, joinings
      ) SELECT member_id, version, 2, managing_organization_id, to_state, occupation_group,
        channel, campaign, day, 0, 1
      FROM membership_log WHERE action IN ('JOINED', 'REVIVED');
      """)

  /// `coverage_bases` holds the denominators with their sources, `coverage_targets` the targets and
  /// the version of both.
  static let coverage = Migration(
    "0022 bases and targets of coverage",
    sql: """
      CREATE TABLE coverage_bases (
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        occupation_group INTEGER NOT NULL,
        day INTEGER NOT NULL,
        people INTEGER NOT NULL,
        qualifier TEXT NOT NULL,
        source TEXT NOT NULL,
        PRIMARY KEY (organization_id, occupation_group, day)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE coverage_targets (
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        occupation_group INTEGER NOT NULL,
        basis_points INTEGER NOT NULL,
        due_day INTEGER,
        version INTEGER NOT NULL,
        PRIMARY KEY (organization_id, occupation_group)
      ) STRICT, WITHOUT ROWID;
      """)
}
