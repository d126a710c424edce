public import Storage
internal import StoragePostgres
internal import StorageSQLite

/// Opens a store by its address, which names the engine.
///
/// - Parameter url: `sqlite:PATH` (a file of one process) or `postgres://…` (replicas); see
///   `SQLiteDatabase.open` and `PostgresDatabase.open`.
/// - Throws: `StorageError`.
public func openDatabase(url: String) async throws -> any Database {
  if url.hasPrefix("postgres") { return try await PostgresDatabase.open(url: url) }
  return try await SQLiteDatabase.open(url: url)
}
