/// A service's store. Two engines implement it: SQLite (one process) and PostgreSQL (replicas).
///
/// All methods may be called from any task at once. None blocks the calling thread: engines work on
/// threads of their own. A call throws `StorageError.busy` at once when too many wait, and
/// `CancellationError` when its task was cancelled before the engine began with it; a write that
/// has begun is finished.
public protocol Database: AnyObject, Sendable {
  /// Which SQL it speaks.
  var dialect: SQLDialect { get }

  /// What the writer did since the store was opened, for metrics.
  var statistics: WriterStatistics { get }

  /// Reads all queries from one snapshot of committed data. `read(_:)` is the typed form.
  func read(all queries: [AnyQuery]) async throws -> ReadResults

  /// Runs one write and returns its reply once everything is durable, the reply of a write that
  /// stored nothing too (what it read is durable then).
  ///
  /// Waiting writes share a transaction; one that fails takes no other with it. See `Step` for what
  /// the closure may do, `Statement.Expectation` for retries.
  ///
  /// - Throws: what the closure throws, as it is; `StorageError`.
  func write<Reply: Sendable>(
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply

  /// Wakes after commits that hold events, and once at the start. It may wake for nothing and fold
  /// several commits into one wake, but never misses the last. Ends when the store closes.
  func feedChanges() -> AsyncStream<Void>

  /// Applies what is missing of `migrations`, all in one transaction.
  ///
  /// - Throws: `StorageError.newerSchema` when the store has a migration that the list lacks,
  ///   `.changedMigration` when an applied one was edited or the order changed.
  func migrate(_ migrations: [Migration]) async throws

  /// Waits until the store can't be trusted any more, and says why; `nil` once it was closed, or
  /// where the engine has no such end. After a failed fsync nobody knows what is on disk: the
  /// process should end, so that the next one reads what is.
  func failure() async -> StorageError?

  /// Takes no more calls, finishes those that wait, and closes. Idempotent; returns when closed.
  func close() async
}

extension Database {
  /// Reads one query.
  public func read<Value: Sendable>(_ query: Query<Value>) async throws -> Value {
    try await read(all: [AnyQuery(query)]).value(0, of: query)
  }

  /// Reads several queries from one snapshot.
  public func read<each Value: Sendable>(
    _ queries: repeat Query<each Value>
  ) async throws -> (repeat each Value) {
    let results = try await read(all: erase(repeat each queries))
    return valuesOf(results, repeat each queries)
  }

  /// Stores a commit that needs no reading.
  public func write(_ commit: Commit) async throws {
    try await write { Step<Void>.commit(commit, ()) }
  }

  /// A long result in pages, each its own short read: neither memory nor a snapshot is held, and no
  /// writer waits. The whole is not one snapshot; rows that move behind the key are not seen again.
  ///
  ///     database.stream { (after: Member?, limit) in
  ///       Members.page(after: after?.id, limit: limit)
  ///     }
  ///
  /// - Parameters:
  ///   - pageSize: rows a page.
  ///   - page: the query of the page after the given element, in a total order, of at most `limit`
  ///     elements.
  public func stream<Element: Sendable>(
    pageSize: Int = 500,
    _ page: @escaping @Sendable (_ after: Element?, _ limit: Int) -> Query<[Element]>
  ) -> RowStream<Element> {
    RowStream(database: self, pageSize: pageSize, page: page)
  }
}

/// The rows of a `Database.stream`. Each iteration reads anew from the beginning.
public struct RowStream<Element: Sendable>: AsyncSequence, Sendable {
  let database: any Database
  let pageSize: Int
  let page: @Sendable (Element?, Int) -> Query<[Element]>

  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(stream: self)
  }

  public struct AsyncIterator: AsyncIteratorProtocol {
    let stream: RowStream
    private var rows: [Element] = []
    private var index = 0
    private var isLast = false

    init(stream: RowStream) {
      self.stream = stream
    }

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
