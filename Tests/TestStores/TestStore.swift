public import Foundation
public import Storage
internal import StorageEngines
internal import Synchronization

/// The engines that every store test runs on; PostgreSQL only if the tests have a server of their
/// own (`scripts/postgres.sh`), which is stopped after them.
public enum Engine: String, CaseIterable, Sendable {
  case sqlite
  case postgres

  /// The URL of the server, in any of its databases.
  private static let server = ProcessInfo.processInfo.environment["YIJIA_TEST_POSTGRES"]

  public static var allCases: [Engine] { server == nil ? [.sqlite] : [.sqlite, .postgres] }

  /// Runs with an empty store for one test, and a folder that is removed afterwards.
  public func withStore<Result>(_ body: (TestStore) async throws -> Result) async throws -> Result {
    let name = "yijia_\(String(UInt64.random(in: 0...UInt64.max), radix: 16))"
    let folder = FileManager.default.temporaryDirectory.appending(path: name)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let url =
      switch self {
      case .sqlite: "sqlite:\(folder.path)/store.db"
      case .postgres:
        "\(Engine.server ?? "")?options=-csearch_path%3D\(name)&application_name=\(name)"
      }
    if self == .sqlite { return try await body(TestStore(engine: self, folder: folder, url: url)) }
    await Turns.shared.take()
    defer { Turns.shared.give() }
    return try await body(TestStore(engine: self, folder: folder, url: url))
  }
}

/// Limits the number of tests that use the server concurrently: all of them would need hundreds of
/// its processes.
private final class Turns: Sendable {
  static let shared = Turns()
  private let state = Mutex<(free: Int, waiting: [CheckedContinuation<Void, Never>])>((8, []))

  func take() async {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        if state.free == 0 {
          state.waiting.append(continuation)
          return false
        }
        state.free -= 1
        return true
      }
      if isFree { continuation.resume() }
    }
  }

  func give() {
    let next = state.withLock { state in
      if state.waiting.isEmpty {
        state.free += 1
        return nil as CheckedContinuation<Void, Never>?
      }
      return state.waiting.removeFirst()
    }
    next?.resume()
  }
}

/// A store that can be opened repeatedly, on PostgreSQL several times concurrently too: a file in
/// the folder, or a schema.
public struct TestStore: Sendable {
  public let engine: Engine
  public let folder: URL
  public let url: String

  /// The file of a SQLite store.
  public var path: String { folder.appending(path: "store.db").path }

  public func open(prepares: Bool = true) async throws -> any Database {
    try await openDatabase(url: url, prepares: prepares)
  }

  /// Opens the store, runs the body and closes it.
  public func with<Result>(
    _ body: (any Database) async throws -> Result
  ) async throws -> Result {
    let database = try await open()
    do {
      let result = try await body(database)
      await database.close()
      return result
    } catch {
      await database.close()
      if let detail = (error as? StorageError)?.debugDetail { throw Failure(detail: detail) }
      throw error
    }
  }

  /// An error of the store with its own text, which tests may show.
  public struct Failure: Error {
    let detail: String
  }

  /// Returns all bytes of the store, for checks that something is not in it: SQLite's files, and
  /// the values of every row of PostgreSQL's tables.
  public func bytes(of database: any Database) async throws -> [Data] {
    if engine == .sqlite {
      let files = try FileManager.default.contentsOfDirectory(
        at: folder, includingPropertiesForKeys: nil)
      return try files.map { try Data(contentsOf: $0) }
    }
    let tables = try await database.read(
      Query<[String]>.all(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
      ) { try $0.text("tablename") })
    var found: [Data] = []
    for table in tables {
      let rows = try await database.read(Query<[Row]>("SELECT * FROM \(table)") { $0 })
      for value in rows.flatMap(\.values) {
        switch value {
        case .text(let text): found.append(Data(text.utf8))
        case .blob(let bytes): found.append(Data(bytes))
        case .integer, .real, .null: break
        }
      }
    }
    return found
  }
}
