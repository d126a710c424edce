public import Storage
internal import StoragePostgres
internal import StorageSQLite

/// Opens a store by its address, whose scheme selects the engine.
///
/// - Parameters:
///   - url: `sqlite:PATH` (a file used by one process) or `postgres://…` (replicas); see
///     `SQLiteDatabase.open` and `PostgresDatabase.open`.
///   - patience: How long to wait for an unreachable server, when opening, migrating and altering.
///   - prepares: Whether to make the store where there is none, and to upgrade the engine's tables
///     of an older release.
///   - waits: Called when that begins, with the reason: a wrong password is one, too.
/// - Throws: `StorageError`.
public func openDatabase(
  url: String, patience: Duration = .zero, prepares: Bool = true,
  waits: @escaping @Sendable (StorageError) -> Void = { _ in }
) async throws -> any Database {
  if url.hasPrefix("postgres") {
    var options = PostgresOptions()
    options.openMax = patience
    options.waits = waits
    options.prepares = prepares
    return try await PostgresDatabase.open(url: url, options: options)
  }
  var options = SQLiteOptions()
  options.prepares = prepares
  return try await SQLiteDatabase.open(url: url, options: options)
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

/// Returns what PostgreSQL's own programs connect to, and the password apart, for `PGPASSWORD`:
/// everybody on the machine can read a process's arguments.
///
/// - Parameter url: `postgres://…`, as for `openDatabase`.
/// - Throws: `StorageError.address`, `.unreachable` without libpq.
public func postgresConnection(
  of url: String
) throws(StorageError) -> (text: String, password: String?) {
  let connection = try PostgresConnection(url)
  return (connection.text, connection.password)
}
