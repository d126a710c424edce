public import Storage

/// The schema's migrations: append only. Identifiers are the 32 hex digits of resource names,
/// instants are microseconds since 1970, enums their numbers, and lists of method paths one text
/// with a path per line.
public enum GatewayMigrations {
  /// Every migration, in the order in which they are applied.
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
    Migration(
      "0011 staff accounts and sessions",
      sql: """
        CREATE TABLE staff_account (
          id TEXT PRIMARY KEY, version INTEGER NOT NULL, user_name TEXT NOT NULL UNIQUE,
          display_name TEXT NOT NULL, role INTEGER NOT NULL, organization_id TEXT NOT NULL,
          state INTEGER NOT NULL, password TEXT NOT NULL, is_temporary INTEGER NOT NULL,
          totp BLOB, totp_pending BLOB, totp_step INTEGER NOT NULL,
          created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE session (
          id TEXT PRIMARY KEY, token_sha256 BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL,
          account_id TEXT NOT NULL, created_at INTEGER NOT NULL, used_at INTEGER NOT NULL,
          idle INTEGER NOT NULL, expires_at INTEGER NOT NULL, ended_at INTEGER
        ) STRICT;
        CREATE INDEX session_account ON session (account_id, created_at);
        CREATE INDEX session_end ON session (expires_at);
        CREATE TABLE guess (
          key BLOB PRIMARY KEY, failures INTEGER NOT NULL, locked_until INTEGER NOT NULL,
          updated_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX guess_age ON guess (updated_at);
        """),
    Migration(
      "0012 members' one-time codes",
      sql: """
        CREATE TABLE member_code (
          phone BLOB PRIMARY KEY, hash BLOB NOT NULL, sends INTEGER NOT NULL,
          guesses INTEGER NOT NULL, sent_at INTEGER NOT NULL, window_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX member_code_age ON member_code (window_at);
        """),
    Migration(
      "0013 certificates of partners",
      sql: """
        CREATE TABLE partner_certificate (
          id TEXT PRIMARY KEY, partner_id TEXT NOT NULL, display_name TEXT NOT NULL,
          identity TEXT NOT NULL, identity_sha256 BLOB NOT NULL, methods TEXT NOT NULL,
          created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER
        ) STRICT;
        CREATE INDEX partner_certificate_partner ON partner_certificate (partner_id, id);
        CREATE UNIQUE INDEX partner_certificate_identity ON partner_certificate (identity_sha256)
          WHERE revoked_at IS NULL;
        """),
    Migration(
      "0014 limits of partners",
      sql: "ALTER TABLE partner ADD COLUMN limits TEXT NOT NULL DEFAULT '[]';"),
  ]
}
