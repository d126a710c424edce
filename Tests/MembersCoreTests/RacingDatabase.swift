import Storage
import Synchronization

/// A store that runs an action after each read.
final class InterruptedDatabase: Database {
  private let base: any Database
  private let interlude: @Sendable () async throws -> Void

  init(_ base: any Database, _ interlude: @escaping @Sendable () async throws -> Void) {
    (self.base, self.interlude) = (base, interlude)
  }

  func read(all queries: [AnyQuery]) async throws -> ReadResults {
    let results = try await base.read(all: queries)
    try await interlude()
    return results
  }

  func write<Reply: Sendable>(
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply {
    try await base.write(step)
  }

  var dialect: SQLDialect { base.dialect }
  var statistics: WriterStatistics { base.statistics }
  func feedChanges() -> AsyncStream<Void> { base.feedChanges() }
  func migrate(_ migrations: [Migration]) async throws { try await base.migrate(migrations) }
  func failure() async -> StorageError? { await base.failure() }
  func close() async { await base.close() }
}

/// A store that runs an action between the decision of the first write and its commit.
final class RacingDatabase: Database {
  private let base: any Database
  private let interlude: Mutex<(@Sendable () async throws -> Void)?>

  init(_ base: any Database, _ interlude: @escaping @Sendable () async throws -> Void) {
    self.base = base
    self.interlude = Mutex(interlude)
  }

  func write<Reply: Sendable>(
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply {
    let interlude = interlude.withLock { interlude in
      defer { interlude = nil }
      return interlude
    }
    guard let interlude else { return try await base.write(step) }
    var decided = try step()
    while case .phase(let queries, let decide) = decided {
      decided = try decide(try await base.read(all: queries))
    }
    try await interlude()
    guard case .commit(let commit, let reply) = decided else { return try await base.write(step) }
    do {
      try await base.write(commit)
      return reply
    } catch StorageError.contention {
      return try await base.write(step)
    }
  }

  var dialect: SQLDialect { base.dialect }
  var statistics: WriterStatistics { base.statistics }
  func read(all queries: [AnyQuery]) async throws -> ReadResults {
    try await base.read(all: queries)
  }
  func feedChanges() -> AsyncStream<Void> { base.feedChanges() }
  func migrate(_ migrations: [Migration]) async throws { try await base.migrate(migrations) }
  func failure() async -> StorageError? { await base.failure() }
  func close() async { await base.close() }
}

/// A store that keeps the texts of its reads.
final class CountedDatabase: Database {
  private let base: any Database
  private let log = Mutex<[String]>([])

  init(_ base: any Database) { self.base = base }

  var texts: [String] { log.withLock { $0 } }

  func read(all queries: [AnyQuery]) async throws -> ReadResults {
    log.withLock { $0 += queries.map(\.sql) }
    return try await base.read(all: queries)
  }

  func write<Reply: Sendable>(
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply {
    try await base.write(step)
  }

  var dialect: SQLDialect { base.dialect }
  var statistics: WriterStatistics { base.statistics }
  func feedChanges() -> AsyncStream<Void> { base.feedChanges() }
  func migrate(_ migrations: [Migration]) async throws { try await base.migrate(migrations) }
  func failure() async -> StorageError? { await base.failure() }
  func close() async { await base.close() }
}
