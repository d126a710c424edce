public import Storage

/// The migrations of the members store. Append only: a released migration is never edited.
///
/// The path of an organization consists of the identifiers from the root down, 32 hex digits each,
/// without separators. The subtree of a path `p` is `path >= p AND path < p || 'g'`, in every
/// collation. Personal data are stored only in BLOB columns, sealed under the person's key.
public enum MembersMigrations {
  /// All migrations, oldest first.
  public static let all = [
    organizations, persons, enrollments, counters, membershipLife, enrollmentLists,
    organizationLife, pool, transfers, duplicates, corrections,
    subtreeCounters, coverage, rosterQuotas, units, away, freshness,
    outreach, olderHashes, awayManagers, unitMoves, employerClaims,
    regionRules, mergedTransfers, awayReviewers, waitingRows, unitThresholds,
    rareRows, mergedItems, ownedRows, countedRounds,
  ]

  static let organizations = Migration(
    "0001 organizations and their codes",
    sql: """
      CREATE TABLE organizations (
        id TEXT NOT NULL PRIMARY KEY,
        external_id TEXT NOT NULL UNIQUE,
        path TEXT NOT NULL UNIQUE,
        parent_id TEXT REFERENCES organizations (id),
        display_name TEXT NOT NULL,
        kind INTEGER NOT NULL,
        level INTEGER NOT NULL,
        region_code TEXT NOT NULL,
        occupation_groups INTEGER NOT NULL,
        credit_code TEXT NOT NULL,
        employer_credit_codes TEXT NOT NULL,
        takes_individuals INTEGER NOT NULL,
        state INTEGER NOT NULL,
        version INTEGER NOT NULL,
        created INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX organizations_by_region ON organizations (region_code, kind);
      CREATE TABLE organization_employers (
        credit_code TEXT NOT NULL,
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        PRIMARY KEY (credit_code, organization_id)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE organization_codes (
        id TEXT NOT NULL PRIMARY KEY,
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        channel INTEGER NOT NULL,
        campaign TEXT NOT NULL,
        expires INTEGER NOT NULL,
        revoked INTEGER,
        version INTEGER NOT NULL,
        created INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX organization_codes_by_organization ON organization_codes (organization_id);
      CREATE TABLE region_settings (
        region_code TEXT NOT NULL PRIMARY KEY,
        pool_first INTEGER NOT NULL,
        approve_first INTEGER NOT NULL,
        new_form_federation INTEGER NOT NULL
      ) STRICT;
      """)

  static let persons = Migration(
    "0002 persons and memberships", sql: persons(""),
    postgres: persons("PARTITION BY HASH")
      + Partitions.hashed(
        "persons", "person_hashes", "memberships", "member_numbers", "membership_log"))

  /// On PostgreSQL hash-partitioned: `person_hashes` by hash, `member_numbers` by number, the other
  /// tables by person. A person has one membership for life, with the same identifier, so both are
  /// in partitions of the same number.
  private static func persons(_ parted: String) -> String {
    func end(_ column: String, else options: String = "STRICT") -> String {
      parted.isEmpty ? options : "\(parted) (\(column))"
    }
    return """
      CREATE TABLE persons (
        id TEXT NOT NULL PRIMARY KEY,
        hash_key INTEGER NOT NULL,
        wrapped_key BLOB,
        person_name BLOB NOT NULL,
        resident_id BLOB NOT NULL,
        phone BLOB NOT NULL,
        created INTEGER NOT NULL
      ) \(end("id"));
      CREATE TABLE person_hashes (
        hash BLOB NOT NULL,
        place TEXT NOT NULL,
        person_id TEXT NOT NULL,
        key INTEGER NOT NULL,
        PRIMARY KEY (hash, place)
      ) \(end("hash", else: "STRICT, WITHOUT ROWID"));
      CREATE TABLE memberships (
        id TEXT NOT NULL PRIMARY KEY REFERENCES persons (id),
        member_number TEXT NOT NULL,
        state INTEGER NOT NULL,
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        managing_organization_id TEXT NOT NULL REFERENCES organizations (id),
        occupation_group INTEGER NOT NULL,
        channel INTEGER NOT NULL,
        campaign TEXT NOT NULL,
        join_day INTEGER NOT NULL,
        code BLOB NOT NULL,
        code_sha256 BLOB NOT NULL,
        version INTEGER NOT NULL,
        created INTEGER NOT NULL
      ) \(end("id"));
      CREATE INDEX memberships_by_manager
        ON memberships (managing_organization_id, member_number);
      CREATE INDEX memberships_by_code ON memberships (code_sha256);
      CREATE TABLE member_numbers (
        member_number TEXT NOT NULL PRIMARY KEY,
        member_id TEXT NOT NULL
      ) \(end("member_number", else: "STRICT, WITHOUT ROWID"));
      CREATE TABLE membership_log (
        member_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        action TEXT NOT NULL,
        from_state INTEGER NOT NULL,
        to_state INTEGER NOT NULL,
        organization_id TEXT NOT NULL,
        managing_organization_id TEXT NOT NULL,
        occupation_group INTEGER NOT NULL,
        channel INTEGER NOT NULL,
        campaign TEXT NOT NULL,
        day INTEGER NOT NULL,
        enrollment_id TEXT,
        actor TEXT NOT NULL,
        created INTEGER NOT NULL,
        PRIMARY KEY (member_id, version)
      ) \(end("member_id", else: "STRICT, WITHOUT ROWID"));

      """
  }

  static let enrollments = Migration(
    "0003 enrollments and duplicates", sql: enrollments("STRICT"),
    postgres: enrollments("PARTITION BY HASH (id)") + Partitions.hashed("enrollments"))

  private static func enrollments(_ end: String) -> String {
    """
    CREATE TABLE enrollments (
      id TEXT NOT NULL PRIMARY KEY,
      caller TEXT NOT NULL,
      state INTEGER NOT NULL,
      refusal TEXT,
      person_id TEXT NOT NULL REFERENCES persons (id),
      member_id TEXT,
      organization_id TEXT NOT NULL REFERENCES organizations (id),
      route INTEGER NOT NULL,
      route_reason_zh TEXT NOT NULL,
      route_reason_en TEXT NOT NULL,
      code_id TEXT,
      occupation_group INTEGER NOT NULL,
      channel INTEGER NOT NULL,
      campaign TEXT NOT NULL,
      consent_version TEXT NOT NULL,
      consented INTEGER NOT NULL,
      application BLOB NOT NULL,
      version INTEGER NOT NULL,
      created INTEGER NOT NULL
    ) \(end);
    CREATE INDEX enrollments_by_person ON enrollments (person_id);
    CREATE TABLE open_enrollments (
      person_id TEXT NOT NULL PRIMARY KEY,
      enrollment_id TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE duplicate_cases (
      id TEXT NOT NULL PRIMARY KEY,
      kind TEXT NOT NULL,
      person_id TEXT NOT NULL REFERENCES persons (id),
      other_person_id TEXT NOT NULL REFERENCES persons (id),
      enrollment_id TEXT NOT NULL,
      state TEXT NOT NULL,
      created INTEGER NOT NULL,
      UNIQUE (person_id, other_person_id, kind)
    ) STRICT;

    """
  }

  static let counters = Migration(
    "0004 counters",
    sql: """
      CREATE TABLE enrollment_counts (
        organization_id TEXT NOT NULL,
        day INTEGER NOT NULL,
        occupation_group INTEGER NOT NULL,
        channel INTEGER NOT NULL,
        members INTEGER NOT NULL,
        PRIMARY KEY (organization_id, day, occupation_group, channel)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE membership_counts (
        organization_id TEXT NOT NULL,
        state INTEGER NOT NULL,
        members INTEGER NOT NULL,
        PRIMARY KEY (organization_id, state)
      ) STRICT, WITHOUT ROWID;
      """)
}
