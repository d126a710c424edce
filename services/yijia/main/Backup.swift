import ArgumentParser
import Foundation
import OperationsV1
import ServiceKit
import Storage
import StorageEngines

struct Backup: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Back up a service's store while it runs, verify, restore.",
    discussion: """
      A backup is a folder: the copy, and a manifest with the SHA-256 of each file. It holds what \
      the store holds, sealed: keep the keyrings apart from it, and keep them.

      On PostgreSQL it is a base backup of the whole server (pg_basebackup, pg_verifybackup), with \
      every service in it.
      """,
    subcommands: [Create.self, Verify.self, Restore.self, Adopt.self])

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Copy a store into a new folder; readers and writers go on.",
      discussion: "Example: yijia backup create --config .dev/members.yaml --to backups/monday")
    @OptionGroup var options: OperatorOptions
    @Option(help: "The folder to make, on the service's machine.")
    var to: String

    func run() async throws {
      try await explained {
        let url = try options.configuration().database
        let engine: BackupManifest.Engine = url.hasPrefix("postgres") ? .postgres : .sqlite
        try await NewFolder.make(to) { draft in
          var contents: StoreContents?
          switch engine {
          case .sqlite: try await copy(to: draft.appending(path: "store.sqlite").path)
          case .postgres:
            contents = try await contentsOfServer()
            try PostgresTools.baseBackup(of: url, to: draft.appending(path: "base"))
          }
          let manifest = try await BackupManifest(
            of: draft, service: options.name, engine: engine, contents: contents, at: Date())
          try manifest.write(to: draft)
          if let keys = manifest.keysNeeded { Terminal.note(keys) }
        }
        Terminal.say("backed up to \(to)")
      }
    }

    /// Verifies the service's store; a server lets it be read beside the service.
    private func contentsOfServer() async throws -> StoreContents? {
      guard let store = try await options.openIfFree() else { return nil }
      do {
        let contents = try await StoreContents(of: store)
        await store.close()
        return contents
      } catch {
        await store.close()
        throw error
      }
    }

    /// Copies the store: by the running service, or in this process where the service is stopped.
    private func copy(to path: String) async throws {
      guard let database = try await options.openIfFree() as? any CopyableDatabase else {
        var task = CreateBackupTask()
        task.path = path
        _ = try await options.run(.createBackup(task))
        return
      }
      try await database.copy(to: path) { done, total in
        Terminal.progress("\(done) of \(total) bytes")
      }
      Terminal.endProgress()
      await database.close()
    }
  }

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check a backup: every file by its sum, the store and its audit log by a look.")
    @Argument(help: "The backup's folder.")
    var folder: String

    func run() async throws {
      try await explained {
        let manifest = try BackupManifest.read(URL(filePath: folder))
        try await manifest.verify(URL(filePath: folder))
        Terminal.say("sound: \(manifest.summary)")
        if let keys = manifest.keysNeeded { Terminal.say(keys) }
      }
    }
  }

  struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a store out of a backup, in a place where nothing is.",
      discussion: """
        SQLite: --to is the file of the store. PostgreSQL: --to is the server's data folder; start \
        the server on it, then `yijia backup adopt` each store.
        The restored feed has a new name, so that consumers notice, and read it anew.
        A service opens the store only with the keyrings of the backup's time: their keys are \
        named, and checked where --config names the service's configuration.
        Example: yijia backup restore backups/monday --to .dev/data/members.sqlite
        """)
    @Argument(help: "The backup's folder.")
    var folder: String
    @Option(help: "What to make.")
    var to: String
    @Option(help: "Configuration of the service that will open it: its keyrings are checked.")
    var config: String?
    @Option(help: "Name of the service. [default: by the file's name, as in members-2.yaml]")
    var service: String?

    func run() async throws {
      try await explained {
        let from = URL(filePath: folder)
        let manifest = try BackupManifest.read(from)
        try await manifest.verify(from)
        if let config {
          let options = try OperatorOptions.of(config, service)
          try Keys.check(try options.configuration().keyrings, against: manifest.marks)
        } else if let keys = manifest.keysNeeded {
          Terminal.note(keys)
        }
        switch manifest.engine {
        case .sqlite: try await StoreFile.restore(from.appending(path: "store.sqlite"), to: to)
        case .postgres:
          try await NewFolder.make(to) { draft in
            try PostgresTools.copyFolder(from.appending(path: "base"), into: draft)
          }
          Terminal.note("start the server on \(to), then adopt each store: yijia backup adopt")
        }
        Terminal.say("restored: \(manifest.summary)")
      }
    }
  }

  struct Adopt: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "After a server was restored: give a store's feed a new name.",
      discussion: """
        Before the services start. Consumers then notice that positions are given out again.
        Example: yijia backup adopt --database "postgres://…?options=-csearch_path%3Dmembers"
        """)
    @Option(help: "The store: postgres://….")
    var database: String

    func run() async throws {
      try await explained {
        let store = try await openExisting(database)
        try await store.renewEpoch()
        await store.close()
        Terminal.say("the feed has a new name")
      }
    }
  }
}

/// What a backup's manifest states of a store.
struct StoreContents {
  var audit: AuditReport
  var feedEnd: FeedCursor
  var marks: [KeyMark]

  /// Reads a store and verifies its audit log, with progress.
  init(of store: any Database) async throws {
    audit = try await store.verifyAudit { done, total in
      Terminal.progress("\(done) of \(total) entries of the audit log")
    }
    Terminal.endProgress()
    feedEnd = try await store.feedEnd()
    marks = try await store.keyMarks()
  }
}

/// The file of a SQLite store, and the files beside it while it is open.
enum StoreFile {
  /// Copies a backup's file to the path of a store.
  static func restore(_ backup: URL, to path: String) async throws {
    let manager = FileManager.default
    let target = URL(filePath: path).absoluteURL.standardized
    for suffix in ["", "-wal", "-journal"] where manager.fileExists(atPath: target.path + suffix) {
      throw ConfigurationError("\(path)\(suffix): is there already")
    }
    try requireStopped(target.path)
    let draft = target.path + ".\(IDSource.system.next().prefix(8)).draft"
    try NewFolder.makeFolder(target.deletingLastPathComponent())
    let interruption = Interruption { remove(draft) }
    defer { interruption.end() }
    do {
      try copy(backup, to: URL(filePath: draft))
      let store = try await openDatabase(url: "sqlite:\(draft)")
      try await store.renewEpoch()
      await store.close()
      removeCompanions(of: draft)
      try sync(URL(filePath: draft))
      // The link fails if the name was taken meanwhile.
      guard link(draft, target.path) == 0 else {
        throw ConfigurationError("\(path): cannot be put in place: \(NewFolder.words(errno))")
      }
      try sync(target.deletingLastPathComponent())
      unlink(draft)
    } catch {
      remove(draft)
      throw error
    }
  }

  /// A service goes on with its file after that was moved away or deleted, and what it acknowledges
  /// would be in nobody's store.
  ///
  /// - Throws: ``ConfigurationError`` if a process has the store of this path open.
  private static func requireStopped(_ path: String) throws {
    let lock = "\(path).lock"
    let descriptor = open(lock, O_RDWR | O_CLOEXEC)
    if descriptor < 0 && errno == ENOENT { return }
    guard descriptor >= 0 else { throw ConfigurationError("\(lock): \(NewFolder.words(errno))") }
    defer { _ = close(descriptor) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let owner = (try? String(contentsOfFile: lock, encoding: .utf8)) ?? ""
      throw ConfigurationError(
        "\(path): process \(owner.trimmingCharacters(in: .whitespacesAndNewlines)) has a store of "
          + "this path open; stop it first")
    }
  }

  /// Checks a copy of the store, because opening a store modifies it.
  static func examine(_ file: URL) async throws -> StoreContents {
    let copy = FileManager.default.temporaryDirectory.appending(
      path: "yijia-\(IDSource.system.next())")
    let interruption = Interruption { remove(copy.path) }
    defer {
      interruption.end()
      remove(copy.path)
    }
    try Self.copy(file, to: copy)
    let store = try await openDatabase(url: "sqlite:\(copy.path)")
    do {
      let faults = try await store.read(
        Query<[String]>.all("SELECT integrity_check AS fault FROM pragma_integrity_check") {
          try $0.text("fault")
        })
      guard faults == ["ok"] else {
        throw ConfigurationError("\(file.path): damaged: \(faults.first ?? "")")
      }
      let contents = try await StoreContents(of: store)
      await store.close()
      return contents
    } catch {
      await store.close()
      throw error
    }
  }

  /// Copies a file that may have many gigabytes, and shows its progress.
  private static func copy(_ file: URL, to target: URL) throws {
    guard
      FileManager.default.createFile(
        atPath: target.path, contents: nil, attributes: [.posixPermissions: 0o600])
    else { throw ConfigurationError("\(target.path): cannot be made: \(NewFolder.words(errno))") }
    let (source, copy) = (
      try FileHandle(forReadingFrom: file), try FileHandle(forWritingTo: target)
    )
    defer {
      try? source.close()
      try? copy.close()
    }
    let total = try source.seekToEnd()
    try source.seek(toOffset: 0)
    var done: UInt64 = 0
    while let part = try source.read(upToCount: 4 << 20), !part.isEmpty {
      do {
        try copy.write(contentsOf: part)
      } catch {
        throw ConfigurationError(
          "\(target.path): the copy cannot be written: \(error.localizedDescription)")
      }
      done += UInt64(part.count)
      Terminal.progress("\(done >> 20) of \(total >> 20) MiB copied")
    }
    Terminal.endProgress()
  }

  private static func remove(_ path: String) {
    removeCompanions(of: path)
    unlink(path)
  }

  private static func removeCompanions(of path: String) {
    for suffix in ["-wal", "-shm", ".lock"] { unlink(path + suffix) }
  }

  /// Makes a file, or the entries of a folder, durable.
  static func sync(_ file: URL) throws {
    let descriptor = open(file.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw ConfigurationError("\(file.path): \(NewFolder.words(errno))")
    }
    defer { _ = close(descriptor) }
    guard fsync(descriptor) == 0 else {
      throw ConfigurationError("\(file.path): \(NewFolder.words(errno))")
    }
  }
}
