import Crypto
import Foundation
import ServiceKit
import Storage

/// The manifest of a backup: `manifest.json` in its folder.
struct BackupManifest: Codable {
  enum Engine: String, Codable {
    case sqlite, postgres
  }

  struct File: Codable {
    /// Path relative to the folder.
    var path: String
    var bytes: Int
    var sha256: String
  }

  /// A key that opens the store: the number that its keyring gives it, and its mark.
  struct Key: Codable {
    var keyring: String
    var key: UInt32
    var mark: Data

    var stored: KeyMark { KeyMark(keyring: keyring, key: key, mark: Array(mark)) }
  }

  private static let fileName = "manifest.json"
  private static let formatNow = 1

  /// Version of the manifest's format.
  var format: Int
  var service: String
  var engine: Engine
  var created: Date
  var files: [File]
  /// Feed cursor at the end of the backup; empty for a backup of a server.
  var feedEnd: String
  /// Heads of the audit chains of the service's store; of a server, just before its backup.
  var auditHeads: [ChainHead]
  /// Keys that the service's store needs; absent in backups of earlier versions.
  var keys: [Key]?

  /// Creates the manifest of a folder.
  ///
  /// - Parameter contents: What was read from the service's store on a server, just before its
  ///   backup; nil to read it from the copy of a SQLite store.
  /// - Throws: ``ConfigurationError`` if the store or its audit log is damaged.
  init(
    of folder: URL, service: String, engine: Engine, contents: StoreContents? = nil, at now: Date
  ) async throws {
    format = Self.formatNow
    self.service = service
    self.engine = engine
    created = now
    feedEnd = ""
    auditHeads = []
    var contents = contents
    switch engine {
    case .sqlite:
      let name = "store.sqlite"
      files = [try Self.file(name, in: folder)]
      let found = try await StoreFile.examine(folder.appending(path: name))
      feedEnd = found.feedEnd.text
      contents = found
    case .postgres:
      // This file has the checksums of all others.
      files = [try Self.file("base/backup_manifest", in: folder)]
    }
    guard let contents else { return }
    guard contents.audit.isIntact else {
      throw ConfigurationError("audit log: \(contents.audit.summary)")
    }
    auditHeads = contents.audit.heads.map(ChainHead.init)
    keys = contents.marks.map { Key(keyring: $0.keyring, key: $0.key, mark: Data($0.mark)) }
  }

  /// The marks of the keys that the store needs.
  var marks: [KeyMark] { (keys ?? []).map(\.stored) }

  /// A sentence for operators that names the keys; nil if the manifest names none.
  var keysNeeded: String? {
    guard let keys, !keys.isEmpty else { return nil }
    let names = keys.map { "\($0.keyring) \($0.key)" }.joined(separator: ", ")
    return "it needs the keyrings of its time, with these keys: \(names)"
  }

  var summary: String {
    let size = files.reduce(0) { $0 + $1.bytes }
    return "\(service), \(engine.rawValue), \(created.formatted(.iso8601)), \(size) bytes"
  }

  /// Compares the folder with the manifest.
  ///
  /// - Throws: ``ConfigurationError`` naming the difference.
  func verify(_ folder: URL) async throws {
    for stated in files {
      let found = try Self.file(stated.path, in: folder)
      guard found.bytes == stated.bytes, found.sha256 == stated.sha256 else {
        throw ConfigurationError("\(stated.path): is not what was backed up")
      }
    }
    switch engine {
    case .sqlite:
      let found = try await StoreFile.examine(folder.appending(path: "store.sqlite"))
      guard found.audit.isIntact, found.audit.heads.map(ChainHead.init) == auditHeads,
        found.feedEnd.text == feedEnd
      else {
        throw ConfigurationError("the store is not what was backed up: \(found.audit.summary)")
      }
    case .postgres: try PostgresTools.verify(folder.appending(path: "base"))
    }
  }

  static func read(_ folder: URL) throws -> BackupManifest {
    let file = folder.appending(path: fileName)
    guard let data = FileManager.default.contents(atPath: file.path) else {
      throw ConfigurationError("\(file.path): cannot be read: no backup, or not a whole one")
    }
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    guard let manifest = try? decoder.decode(Self.self, from: data),
      manifest.format == formatNow,
      manifest.files.allSatisfy({ !$0.path.hasPrefix("/") && !$0.path.contains("..") })
    else { throw ConfigurationError("\(file.path): is not a manifest of this version") }
    return manifest
  }

  func write(to folder: URL) throws {
    let encoder = JSONEncoder()
    encoder.dateEncodingStrategy = .iso8601
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let file = folder.appending(path: Self.fileName)
    try SecretFile.write(try encoder.encode(self), to: file)
    try StoreFile.sync(file)
    try StoreFile.sync(folder)
  }

  private static func file(_ path: String, in folder: URL) throws -> File {
    let url = folder.appending(path: path)
    guard let handle = try? FileHandle(forReadingFrom: url) else {
      throw ConfigurationError("\(path): is missing")
    }
    defer { try? handle.close() }
    var sum = SHA256()
    var bytes = 0
    while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty {
      sum.update(data: chunk)
      bytes += chunk.count
      if bytes % (64 << 20) == 0 { Terminal.progress("\(path): \(bytes) bytes summed") }
    }
    Terminal.endProgress()
    let digest = sum.finalize().map { String(format: "%02x", $0) }.joined()
    return File(path: path, bytes: bytes, sha256: digest)
  }
}
