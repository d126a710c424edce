internal import Glibc
internal import Logging
import ServiceKit
public import Storage
import StorageEngines

/// Opens a store, waits for its server, which it logs, and applies pending migrations.
///
/// Until a service traps them, SIGTERM and SIGINT end the process at once: nothing was accepted yet
/// that would have to be finished. SIGHUP is ignored from here on.
///
/// - Parameter url: `sqlite:PATH` or `postgres://…`; see `openDatabase`.
/// - Throws: ``ConfigurationError`` with the store, the fault and the remedy.
public func openStore(
  _ url: String, _ migrations: [Migration], patience: Duration = Limits.openPatience
) async throws -> any Database {
  signal(SIGHUP, SIG_IGN)
  do {
    let store = try await openDatabase(url: url, patience: patience, migrations: migrations) {
      let reason = explained($0, database: url)
      Logger(label: "store").warning("waiting \(patience.components.seconds) s: \(reason)")
    }
    // Reading the configuration and opening the store are most of a start's code.
    ProcessMemory.releaseCode()
    return store
  } catch {
    throw explained(error, database: url)
  }
}
