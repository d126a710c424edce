/// One schema migration.
///
/// A service declares its migrations in one list, appends to it, and never changes a released one:
/// applied migrations are recorded by position, name and checksum. The SQL may hold several
/// statements and uses the types TEXT, INTEGER, REAL and BLOB, which the PostgreSQL engine
/// translates to `text`, `bigint`, `double precision` and `bytea` (it drops `STRICT` and `WITHOUT
/// ROWID`).
public struct Migration: Sendable, Hashable {
  /// The name, unique in its list and never changed.
  public let name: String
  /// The statements for SQLite, and for PostgreSQL where `postgres` is `nil`.
  public let sql: String
  /// The statements for PostgreSQL where they differ (partitions).
  public let postgres: String?

  /// Creates a migration; `postgres` where its statements differ from `sql`.
  public init(_ name: String, sql: String, postgres: String? = nil) {
    self.name = name
    self.sql = sql
    self.postgres = postgres
  }
}

/// The SQL dialect of an engine, for the few queries that differ (nearest points).
public enum SQLDialect: Sendable, Hashable {
  /// SQLite: one process with a file of its own.
  case sqlite
  /// PostgreSQL: one database for several replicas.
  case postgres
}
