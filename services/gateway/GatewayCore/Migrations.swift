public import Storage

/// The schema's history: append only. Identifiers are the 32 hex digits of resource names, instants
/// microseconds since 1970, enums their numbers, paths of methods lines of one text.
public enum GatewayMigrations {
  public static let all = [
    Migration(
      "0001 partners and their keys",
      sql: """
        CREATE TABLE partner (
          id TEXT PRIMARY KEY, version INTEGER NOT NULL, display_name TEXT NOT NULL,
          state INTEGER NOT NULL, methods TEXT NOT NULL,
          created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE partner_key (
          id TEXT PRIMARY KEY, partner_id TEXT NOT NULL,
          display_name TEXT NOT NULL, hint TEXT NOT NULL, key_sha256 BLOB NOT NULL UNIQUE,
          methods TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER,
          replaced_by TEXT, revoked_at INTEGER
        ) STRICT;
        CREATE INDEX partner_key_partner ON partner_key (partner_id, id);
        """),
    Migration(
      "0010 calls of a day",
      sql: """
        CREATE TABLE quota_day (
          partner TEXT NOT NULL, path TEXT NOT NULL, day INTEGER NOT NULL,
          leased INTEGER NOT NULL, PRIMARY KEY (partner, path, day)
        ) STRICT;
        """),
  ]
}
