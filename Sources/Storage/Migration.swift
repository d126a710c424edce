/// One step of a schema's history.
///
/// A service lists its migrations once, appends to the list, and never changes one that was
/// released: applied ones are remembered by position, name and checksum. The SQL may hold several
/// statements and uses the types TEXT, INTEGER, REAL and BLOB, which the PostgreSQL engine renders
/// as `text`, `bigint`, `double precision` and `bytea` (it drops `STRICT` and `WITHOUT ROWID`).
/// Where the engines need different statements (partitions), `postgres` holds the other text.
public struct Migration: Sendable, Hashable {
  public let name: String
  public let sql: String
  public let postgres: String?

  public init(_ name: String, sql: String, postgres: String? = nil) {
    self.name = name
    self.sql = sql
    self.postgres = postgres
  }
}

/// Which engine's SQL a store speaks, for the few queries that differ (nearest points).
public enum SQLDialect: Sendable, Hashable {
  case sqlite
  case postgres
}
