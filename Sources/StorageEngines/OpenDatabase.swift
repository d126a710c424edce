public import Storage
internal import StoragePostgres
internal import StorageSQLite

/// Opens a store by its address, which names the engine.
///
/// - Parameters:
///   - url: `sqlite:PATH` (a file of one process) or `postgres://…` (replicas); see
///     `SQLiteDatabase.open` and `PostgresDatabase.open`.
///   - patience: how long a server is waited for that can't be reached yet, now and when the store
///     is migrated.
/// - Throws: `StorageError`.
public func openDatabase(
  url: String, patience: Duration = .zero
) async throws -> any Database {
  if url.hasPrefix("postgres") {
    var options = PostgresOptions()
    options.openMax = patience
    return try await PostgresDatabase.open(url: url, options: options)
  }
  return try await SQLiteDatabase.open(url: url)
}

/// Opens a service's store and applies what is missing of its schema.
///
/// - Throws: `StorageError`; the store is closed then.
public func openDatabase(
  url: String, patience: Duration = .zero, migrations: [Migration]
) async throws -> any Database {
  let database = try await openDatabase(url: url, patience: patience)
  do {
    try await database.migrate(migrations)
    return database
  } catch {
    await database.close()
    throw error
  }
}
