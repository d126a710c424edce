/// A service's store, implemented by two engines: SQLite (one process) and PostgreSQL (replicas).
///
/// All methods are safe to call from any task concurrently. None blocks the calling thread: engines
/// use threads of their own. A call throws `StorageError.busy` at once when the queue is full, and
/// `CancellationError` when its task was canceled before the engine started it; a write that has
/// started is completed. Reads and writes begin and end on the caller's executor: each change of
/// executors would take a lock of the task.
public protocol Database: AnyObject, Sendable {
  /// The SQL dialect.
  var dialect: SQLDialect { get }

  /// The writer's statistics since the store was opened, for metrics.
  var statistics: WriterStatistics { get }

  /// Executes all queries on one snapshot of committed data. `read(_:)` is the typed form.
  nonisolated(nonsending) func read(all queries: [AnyQuery]) async throws -> ReadResults

  /// Executes one write and returns its reply once the data are durable. This includes the data
  /// read by a write that stores nothing.
  ///
  /// Queued writes share a transaction; a failing write does not affect the others. See `Step` for
  /// the contract of the closure and `Statement.Expectation` for retries.
  ///
  /// - Throws: The closure's error unchanged; `StorageError`.
  nonisolated(nonsending) func write<Reply: Sendable>(
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply

  /// As `write`, for a write large enough to delay others (`Step.together`): it reads and decides
  /// outside of the write transaction, as every write on PostgreSQL does. If a guard fails, it is
  /// decided again.
  nonisolated(nonsending) func writeLarge<Reply: Sendable>(
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply

  /// Returns a stream that yields once at the start and after commits that contain events. It may
  /// yield spuriously and coalesce several commits, but never misses the last. Ends when the store
  /// closes.
  func feedChanges() -> AsyncStream<Void>

  /// Applies the pending migrations of `migrations`, all in one transaction.
  ///
  /// - Throws: `StorageError.newerSchema` if the store has a migration that the list lacks,
  ///   `.changedMigration` if an applied one was edited or the order changed, `.unfinishedMove` if
  ///   a move into the store did not finish.
  func migrate(_ migrations: [Migration]) async throws

  /// Executes statements, then queries, without the engine's limits of time, for work that grows
  /// with whole tables, such as adding a constraint. Other writes wait meanwhile. Numbers of rows
  /// that statements expect may stay unchecked, and all of them may be executed twice, where a
  /// connection was lost during the commit.
  func alter(_ statements: [Statement], then queries: [AnyQuery]) async throws -> ReadResults

  /// Waits until the store has failed for good and returns the reason; `nil` once the store is
  /// closed, or if the engine has no such state. After a failed fsync the contents of the disk are
  /// unknown: the process should exit, so that the next one reads what was stored.
  func failure() async -> StorageError?

  /// Rejects further calls, completes the queued ones, and closes. Idempotent; returns once closed.
  func close() async
}

extension Database {
  /// Executes the write as any other: for engines that read and decide outside of the transaction.
  public nonisolated(nonsending) func writeLarge<Reply: Sendable>(
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply {
    try await write(step)
  }

  /// Executes them as any others: for engines that limit no statement.
  public func alter(
    _ statements: [Statement], then queries: [AnyQuery]
  ) async throws -> ReadResults {
    try await write(Commit(at: .init(microseconds: 0), statements: statements))
    return try await read(all: queries)
  }

  /// Executes one query.
  public nonisolated(nonsending) func read<Value: Sendable>(
    _ query: Query<Value>
  ) async throws -> Value {
    guard let asked = AnyQuery(asking: query) else { return try query.decode([]) }
    return try await read(all: [asked]).value(0, of: query)
  }

  /// Executes several queries on one snapshot.
  public func read<each Value: Sendable>(
    _ queries: repeat Query<each Value>
  ) async throws -> (repeat each Value) {
    let results = try await read(all: erase(repeat each queries))
    return try valuesOf(results, repeat each queries)
  }

  /// Executes a write that needs no reads.
  public nonisolated(nonsending) func write(_ commit: Commit) async throws {
    try await write { Step<Void>.commit(commit, ()) }
  }

  /// Returns a long result in pages, each a short read of its own: memory use stays bounded, no
  /// snapshot is held, and writers are not blocked. The pages are not one snapshot; rows that move
  /// behind the current key are not returned again.
  ///
  ///     database.stream { (after: Member?, limit) in
  ///       Members.page(after: after?.id, limit: limit)
  ///     }
  ///
  /// - Parameters:
  ///   - pageSize: The number of rows per page.
  ///   - page: Returns the query of the page after the given element, in a total order, of at most
  ///     `limit` elements.
  public func stream<Element: Sendable>(
    pageSize: Int = 500,
    _ page: @escaping @Sendable (_ after: Element?, _ limit: Int) -> Query<[Element]>
  ) -> RowStream<Element> {
    RowStream(database: self, pageSize: pageSize, page: page)
  }
}

/// The rows of a `Database.stream`. Each iteration starts from the beginning.
public struct RowStream<Element: Sendable>: AsyncSequence, Sendable {
  let database: any Database
  let pageSize: Int
  let page: @Sendable (Element?, Int) -> Query<[Element]>

  /// Returns an iterator that begins at the first row.
  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(stream: self)
  }

  /// Reads page after page. For one task at a time.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let stream: RowStream
    private var rows: [Element] = []
    private var index = 0
    private var isLast = false

    init(stream: RowStream) {
      self.stream = stream
    }

    /// Returns the next row, nil at the end; reads a page when the one before is used up.
    /// - Throws: `StorageError` of the read.
    public mutating func next() async throws -> Element? {
      if index == rows.count {
        if isLast { return nil }
        rows = try await stream.database.read(stream.page(rows.last, stream.pageSize))
        index = 0
        isLast = rows.count < stream.pageSize
        if rows.isEmpty { return nil }
      }
      defer { index += 1 }
      return rows[index]
    }
  }
}
