import Foundation
import Storage
import StorageEngines
import Synchronization

/// Measures the storage layer. `storage-bench URL ROWS WRITERS [MANY]` prints durable one-row
/// writes per second with that many writers, the median latency of a lone write in µs, and reads by
/// key per second: from 10,000 rows and, if MANY is given, from that many.
@main struct StorageBench {
  static let body = String(repeating: "x", count: 100)
  static let lone = 1_001

  static func main() async throws {
    let arguments = CommandLine.arguments
    guard (4...5).contains(arguments.count), let rows = Int(arguments[2]),
      let writers = Int(arguments[3]), rows > 0, writers > 0
    else {
      say("usage: storage-bench URL ROWS WRITERS [MANY]")
      exit(2)
    }
    let database = try await openDatabase(url: arguments[1])
    try await database.migrate([
      Migration(
        "0001 notes", sql: "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT")
    ])
    let ids = Counter()
    let loop = BenchLoop()
    let stored = try await seconds {
      try await together(loop, writers, rows / writers) {
        try await store(database, ids.next())
      }
    }
    say("writes \(Int(Double(rows / writers * writers) / stored))")
    let times = try await Task(executorPreference: loop) {
      // As long as SQLite's log becomes longer, a write takes about half as long again: that ends
      // with its first checkpoint, soon after a start, and in C it has ended before.
      for _ in 0..<lone { try await store(database, ids.next()) }
      var times: [Double] = []
      for _ in 0..<lone {
        times.append(try await seconds { try await store(database, ids.next()) } * 1e6)
      }
      return times.sorted()
    }.value
    say("single \(Int(times[lone / 2]))")
    try await measureReads("reads", of: 10_000, in: database, loop, rows)
    if let many = arguments.dropFirst(4).first.flatMap({ Int64($0) }) {
      try await fill(database, from: ids.next(), through: many)
      try await measureReads("reads-of-many", of: many, in: database, loop, rows)
    }
    await database.close()
  }

  static func measureReads(
    _ name: String, of last: Int64, in database: any Database, _ loop: BenchLoop, _ count: Int
  ) async throws {
    let taken = try await seconds {
      try await together(loop, 64, count / 64) {
        let id = Int64.random(in: 1...last)
        let note = try await database.read(
          Query<String?>.first("SELECT body FROM note WHERE id = ?1", [id]) {
            try $0.text("body")
          })
        precondition(note != nil, "row \(id) was stored")
      }
    }
    say("\(name) \(Int(Double(count / 64 * 64) / taken))")
  }

  /// Inserts rows up to a number, many per statement.
  static func fill(_ database: any Database, from first: Int64, through last: Int64) async throws {
    var next = first
    while next <= last {
      let end = min(next + 200_000, last + 1)
      var commit = Commit(at: Date(timeIntervalSince1970: 0))
      commit.run(
        """
        INSERT INTO note (id, body)
        WITH RECURSIVE number (id) AS (
          SELECT CAST(?1 AS BIGINT) UNION ALL SELECT id + 1 FROM number WHERE id + 1 < ?2)
        SELECT id, ?3 FROM number
        """, [next, end, body])
      try await database.write(commit)
      next = end
    }
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

  /// Runs `body` that many times in each of that many tasks.
  static func together(
    _ loop: BenchLoop, _ tasks: Int, _ times: Int,
    _ body: @escaping @Sendable () async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<tasks {
        group.addTask(executorPreference: loop) { for _ in 0..<times { try await body() } }
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
