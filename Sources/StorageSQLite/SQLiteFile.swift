internal import CSQLite
internal import Foundation
internal import GRDB
internal import Glibc
internal import Storage

/// Opens connections to one file and verifies the settings that durability depends on.
struct SQLiteFile: Sendable {
  let path: String

  /// - Parameter url: `sqlite:PATH`.
  /// - Throws: `StorageError.address`.
  init(url: String) throws(StorageError) {
    guard url.hasPrefix("sqlite:") else { throw .address(.init(url)) }
    let path = String(url.dropFirst("sqlite:".count))
    guard !path.isEmpty, !path.hasPrefix(":"), !path.hasPrefix("//"), !path.contains("\0") else {
      throw .address(.init(url))
    }
    self.path = path
    _ = Self.countNoMemory
  }

  /// SQLite would count the memory that it allocates, with a lock of the process at each of a
  /// statement's dozens of allocations, which the readers and the writer wait for each other at.
  private static let countNoMemory: Void = yijia_sqlite_count_no_memory()

  var lockPath: String { "\(path).lock" }

  /// Opens the write connection with WAL and an fsync at every commit (`synchronous=FULL`). Both
  /// settings are verified, because a wrong one would only show when acknowledged writes are lost
  /// in a power failure.
  func openWriter(logBytes: Int) throws(StorageError) -> DatabaseQueue {
    // SQLite gives the WAL file the permissions of the database file, which is therefore created
    // first, with mode 0600.
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .io(.init(path, errno: errno)) }
    _ = Glibc.close(descriptor)
    return try mapped {
      let queue = try DatabaseQueue(path: path, configuration: configuration())
      try queue.inDatabase { database in
        try SQLiteFile.set(database, "journal_mode", to: "wal")
        try SQLiteFile.set(database, "synchronous", to: "2")
        try database.execute(sql: "PRAGMA journal_size_limit = \(logBytes)")
        try database.execute(sql: "PRAGMA cache_size = -16384")
        // A malformed page is found before what is written spreads it.
        try database.execute(sql: "PRAGMA cell_size_check = ON")
      }
      return queue
    }
  }

  /// Opens a read connection, with SQLite's own cache of 2 MB: every commit empties it, and in a
  /// large store most pages of a read are new. Copied from the system's cache into memory that the
  /// processor has at hand, they take less time than in a cache of many megabytes, and a check of
  /// their cells would take a tenth of a read's time.
  func openReader() throws(StorageError) -> DatabaseQueue {
    try mapped {
      var configuration = configuration()
      configuration.readonly = true
      return try DatabaseQueue(path: path, configuration: configuration)
    }
  }

  private func configuration() -> Configuration {
    var configuration = Configuration()
    configuration.foreignKeysEnabled = true
    configuration.busyMode = .timeout(5)
    configuration.prepareDatabase { database in
      try database.execute(sql: "PRAGMA trusted_schema = OFF")
      try database.execute(sql: "PRAGMA temp_store = MEMORY")
    }
    return configuration
  }

  private static func set(_ database: GRDB.Database, _ pragma: String, to value: String) throws {
    try database.execute(sql: "PRAGMA \(pragma) = \(value)")
    let read = try DatabaseValue.fetchOne(database, sql: "PRAGMA \(pragma)")
    let text = read.flatMap {
      String.fromDatabaseValue($0) ?? Int.fromDatabaseValue($0).map(String.init)
    }
    guard text == value else {
      throw StorageError.io(.init("\(pragma) reads \(text ?? "nothing"), not \(value)"))
    }
  }

  private func mapped<Value>(_ body: () throws -> Value) throws(StorageError) -> Value {
    do {
      return try body()
    } catch {
      throw StorageError(sqlite: error)
    }
  }
}
