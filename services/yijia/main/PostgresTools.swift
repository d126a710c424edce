import Foundation
import ServiceKit
import StorageEngines

/// Runs PostgreSQL's own programs, from Debian's folders or the PATH.
enum PostgresTools {
  /// Makes and verifies a base backup of the whole server with its WAL; the program shows its
  /// progress.
  static func baseBackup(of url: String, to folder: URL) throws {
    let connection = try postgresConnection(of: url)
    try run(
      "pg_basebackup",
      [
        "--dbname", connection.text, "--pgdata", folder.path, "--wal-method", "stream",
        "--checkpoint", "fast", "--manifest-checksums", "SHA256", "--progress", "--no-password",
      ], environment: connection.password.map { ["PGPASSWORD": $0] } ?? [:])
    try verify(folder)
  }

  /// Verifies every file's checksum and the WAL of the backup.
  static func verify(_ folder: URL) throws {
    try run("pg_verifybackup", ["--quiet", folder.path])
  }

  /// Copies the contents of a folder and shows its progress. (The server requires a data folder of
  /// its own.)
  static func copyFolder(_ folder: URL, into target: URL) throws {
    let manager = FileManager.default
    let paths = try manager.subpathsOfDirectory(atPath: folder.path)
    for (done, path) in paths.enumerated() {
      let (source, copy) = (folder.appending(path: path), target.appending(path: path))
      // A symbolic link, to a tablespace, is copied as one.
      if (try source.resourceValues(forKeys: [.isDirectoryKey])).isDirectory == true {
        try NewFolder.makeFolder(copy)
      } else {
        try manager.copyItem(at: source, to: copy)
      }
      if done % 64 == 0 { Terminal.progress("\(done) of \(paths.count) files") }
    }
    Terminal.endProgress()
    // Everything must be on disk before the restore is reported as done.
    sync()
  }

  private static func run(
    _ program: String, _ arguments: [String], environment: [String: String] = [:]
  ) throws {
    let process = Process()
    process.executableURL = try find(program)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.standardError
    try process.run()
    // It has a process group of its own, which no terminal interrupts, and inherits that this
    // command's signals are ignored.
    let group = process.processIdentifier
    let interruption = Interruption { _ = kill(-group, SIGKILL) }
    defer { interruption.end() }
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw ConfigurationError("\(program) ended with status \(process.terminationStatus)")
    }
  }

  private static func find(_ program: String) throws -> URL {
    let manager = FileManager.default
    let debian = "/usr/lib/postgresql"
    let versions = ((try? manager.contentsOfDirectory(atPath: debian)) ?? [])
      .sorted { $0.localizedStandardCompare($1) == .orderedDescending }
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let folders =
      versions.map { "\(debian)/\($0)/bin" } + path.split(separator: ":").map(String.init)
    guard
      let folder = folders.first(where: { manager.isExecutableFile(atPath: "\($0)/\(program)") })
    else { throw ConfigurationError("no \(program) here (Debian: postgresql-15)") }
    return URL(filePath: folder).appending(path: program)
  }
}
