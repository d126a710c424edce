public import Storage
internal import StoragePostgres
internal import StorageSQLite

/// Opens a store by its address, whose scheme selects the engine.
///
/// - Parameters:
///   - url: `sqlite:PATH` (a file used by one process) or `postgres://…` (replicas); see
///     `SQLiteDatabase.open` and `PostgresDatabase.open`.
///   - patience: How long to wait for an unreachable server, when opening, migrating and altering.
///   - createsStore: Whether to make the store in PostgreSQL where there is none.
///   - waits: Called when that begins, with the reason: a wrong password is one, too.
/// - Throws: `StorageError`.
public func openDatabase(
  url: String, patience: Duration = .zero, createsStore: Bool = true,
  waits: @escaping @Sendable (StorageError) -> Void = { _ in }
) async throws -> any Database {
  if url.hasPrefix("postgres") {
    var options = PostgresOptions()
    options.openMax = patience
    options.waits = waits
    options.createsStore = createsStore
    return try await PostgresDatabase.open(url: url, options: options)
  }
  return try await SQLiteDatabase.open(url: url)
}

/// Opens a service's store and applies its pending migrations.
///
/// - Throws: `StorageError`, after closing the store.
public func openDatabase(
  url: String, patience: Duration = .zero, migrations: [Migration],
  waits: @escaping @Sendable (StorageError) -> Void = { _ in }
) async throws -> any Database {
  let database = try await openDatabase(url: url, patience: patience, waits: waits)
  do {
    try await database.migrate(migrations)
    return database
  } catch {
    await database.close()
    throw error
  }
}
