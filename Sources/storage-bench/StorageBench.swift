import Foundation
import Storage
import StorageEngines
import Synchronization

/// What the storage layer costs: `storage-bench URL ROWS WRITERS` prints durable one-row writes a
/// second with that many writers, the median of a lone write in µs, and reads by key a second.
@main struct StorageBench {
  static let body = String(repeating: "x", count: 100)
  static let lone = 1_001

  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 4, let rows = Int(arguments[2]), let writers = Int(arguments[3]),
      rows > 0, writers > 0
    else {
      say("usage: storage-bench URL ROWS WRITERS")
      exit(2)
    }
    let database = try await openDatabase(url: arguments[1])
    try await database.migrate([
      Migration(
        "0001 notes", sql: "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT")
    ])
    let ids = Counter()
    let stored = try await seconds {
      try await together(writers, rows / writers) { try await store(database, ids.next()) }
    }
    say("writes \(Int(Double(rows / writers * writers) / stored))")
    var times: [Double] = []
    for _ in 0..<lone {
      times.append(try await seconds { try await store(database, ids.next()) } * 1e6)
    }
    say("single \(Int(times.sorted()[lone / 2]))")
    let last = ids.next()
    let read = try await seconds {
      try await together(64, rows / 64) {
        let id = Int64.random(in: 1..<last)
        let note = try await database.read(
          Query<String?>.first("SELECT body FROM note WHERE id = ?1", [id]) {
            try $0.text("body")
          })
        precondition(note != nil, "row \(id) was stored")
      }
    }
    say("reads \(Int(Double(rows / 64 * 64) / read))")
    await database.close()
  }

  static func say(_ line: String) {
    FileHandle.standardOutput.write(Data("\(line)\n".utf8))
  }

  static func store(_ database: any Database, _ id: Int64) async throws {
    try await database.write {
      .commit(
        Commit(
          at: Date(timeIntervalSince1970: 0),
          statements: [
            Statement(
              "INSERT INTO note (id, body) VALUES (?1, ?2)", [id, body], expects: .exactly(1))
          ]), ())
    }
  }

  /// Runs `body` so many times in each of so many tasks.
  static func together(
    _ tasks: Int, _ times: Int, _ body: @escaping @Sendable () async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<tasks {
        group.addTask { for _ in 0..<times { try await body() } }
      }
      try await group.waitForAll()
    }
  }

  static func seconds(_ body: @Sendable () async throws -> Void) async throws -> Double {
    let start = ContinuousClock.now
    try await body()
    return (ContinuousClock.now - start) / .seconds(1)
  }
}

final class Counter: Sendable {
  private let last = Atomic<Int64>(0)

  func next() -> Int64 { last.add(1, ordering: .relaxed).newValue }
}
