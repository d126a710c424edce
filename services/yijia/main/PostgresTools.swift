import Foundation
import ServiceKit

/// PostgreSQL's own programs, where Debian or the path has them.
enum PostgresTools {
  /// A base backup of the whole server with its log, verified; the program shows its progress.
  static func baseBackup(of url: String, to folder: URL) throws {
    try run(
      "pg_basebackup",
      [
        "--dbname", url, "--pgdata", folder.path, "--wal-method", "stream", "--checkpoint", "fast",
        "--manifest-checksums", "SHA256", "--progress", "--no-password",
      ])
    try verify(folder)
  }

  /// Every file by its sum, and the log that belongs to it.
  static func verify(_ folder: URL) throws {
    try run("pg_verifybackup", ["--quiet", folder.path])
  }

  /// Copies what is in a folder; the server wants its data folder for itself alone.
  static func copyFolder(_ folder: URL, into target: URL) throws {
    let manager = FileManager.default
    for name in try manager.contentsOfDirectory(atPath: folder.path) {
      try manager.copyItem(
        at: folder.appending(path: name), to: target.appending(path: name))
    }
    // What is copied must be on disk before it is called restored.
    sync()
  }

  private static func run(_ program: String, _ arguments: [String]) throws {
    let process = Process()
    process.executableURL = try find(program)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.standardError
    try process.run()
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
