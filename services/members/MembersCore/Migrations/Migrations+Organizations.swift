import Storage

extension MembersMigrations {
  /// `child_count` is maintained by the organizations below. `closed` marks the counters of a
  /// dissolved organization, so that nobody can be counted, and therefore stored, as its member.
  static let organizationLife = Migration(
    "0005 life, place and covers of organizations",
    sql: """
      ALTER TABLE organizations ADD COLUMN industry_group TEXT NOT NULL DEFAULT '';
      ALTER TABLE organizations ADD COLUMN author TEXT NOT NULL DEFAULT '';
      ALTER TABLE organizations ADD COLUMN opened_day INTEGER;
      ALTER TABLE organizations ADD COLUMN closed_day INTEGER;
      ALTER TABLE organizations ADD COLUMN child_count INTEGER NOT NULL DEFAULT 0;
      CREATE INDEX organizations_by_parent ON organizations (parent_id, external_id);
      UPDATE organizations SET child_count = (
        SELECT count(*) FROM organizations AS below
        WHERE below.parent_id = organizations.id AND below.state <> 4
      );
      CREATE TABLE organization_covers (
        federation_id TEXT NOT NULL REFERENCES organizations (id),
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        created INTEGER NOT NULL,
        PRIMARY KEY (federation_id, organization_id)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX organization_covers_by_organization
        ON organization_covers (organization_id, federation_id);
      ALTER TABLE membership_counts ADD COLUMN closed INTEGER NOT NULL DEFAULT 0;
      """)

  /// The live union of an employer: an employer has one, or none. Where several claimed one before,
  /// the oldest claim cannot be told, and the lowest identifier holds it.
  static let employerClaims = Migration(
    "0031 claims of employers",
    sql: """
      CREATE TABLE employer_claims (
        credit_code TEXT NOT NULL PRIMARY KEY,
        organization_id TEXT NOT NULL REFERENCES organizations (id)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX employer_claims_by_organization ON employer_claims (organization_id);
      INSERT INTO employer_claims (credit_code, organization_id)
        SELECT e.credit_code, min(e.organization_id) FROM organization_employers AS e
        JOIN organizations AS o ON o.id = e.organization_id
        WHERE o.state <> 4 GROUP BY e.credit_code;
      """)
}
