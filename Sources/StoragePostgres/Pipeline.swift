internal import Storage

/// One connection in pipeline mode: the sent commands, in order, with the recipients of their
/// answers. Confined to the engine's thread.
final class Pipeline<Tag> {
  /// An answer of the server. If the preparation of a command failed, the command receives the
  /// failure and then `passedOver`. Each command ends with `done`.
  enum Answer {
    case command(Tag, PostgresResult)
    case done(Tag)
    case sync(Tag)
  }

  private enum Expected {
    case preparation(Tag, StatementKey)
    /// A statement. The result of a query has columns, however few rows.
    case command(Tag, isQuery: Bool)
    /// A command of the pipeline itself.
    case own
    case sync(Tag)
  }

  private struct StatementKey: Hashable {
    let sql: String
    let types: [UInt32]
  }

  let link: PostgresLink
  private var expected: [Expected] = []
  /// The index of the first unanswered entry of `expected`; answered entries are removed in bulk.
  private var answered = 0
  private var names: [StatementKey: String] = [:]
  private var nextName = 0
  private var sent = 0
  private var nextRenewal = firstRenewal
  /// Whether a call on the connection failed, or its answers are not those of its commands.
  private(set) var isLost = false
  /// Whether unsent data remain.
  private(set) var isSending = false
  private var lastProgress = (count: 0, time: ContinuousClock.now)
  /// Counts answers: shows whether the server makes progress.
  private(set) var progress = 0

  /// The maximum number of prepared statements: a service has some dozens; dynamically composed
  /// filters add more.
  private static var statementLimit: Int { 512 }

  /// The maximum number of arguments that the protocol can express. libpq refuses more in the same
  /// way as it fails on a lost connection.
  private static var argumentsMax: Int { 65_535 }

  /// The number of statements after which all plans are renewed for the first time. The server
  /// keeps the generic plan made at a statement's first execution, and for tables that were almost
  /// empty then it chooses sequential scans. Each interval is four times as long as the last:
  /// either a table has grown little since, or it is small.
  private static var firstRenewal: Int { 1_000 }
  /// The factor from one renewal interval to the next.
  private static var renewalFactor: Int { 4 }

  init(_ link: PostgresLink) {
    self.link = link
  }

  var isIdle: Bool { answered == expected.count }

  /// The recipient of the next answer.
  var head: Tag? {
    guard !isIdle else { return nil }
    switch expected[answered] {
    case .preparation(let tag, _), .command(let tag, _), .sync(let tag): return tag
    case .own: return nil
    }
  }

  /// Queues a statement; prepares it first if the connection has not yet.
  ///
  /// - Throws: `StorageError.statement` if the text or an argument is invalid, `.limit`; nothing is
  ///   queued then.
  func send(
    _ sql: String, _ arguments: [SQLValue], isQuery: Bool = false, _ tag: Tag
  ) throws(StorageError) {
    guard arguments.count <= Self.argumentsMax else { throw .limit("arguments of a statement") }
    let parameters = try Parameters(arguments)
    sent += 1
    if sent == nextRenewal {
      nextRenewal *= Self.renewalFactor
      forget()
    }
    let key = StatementKey(sql: sql, types: parameters.types)
    if let name = names[key] { return execute(name, parameters, isQuery, tag) }
    let (text, count) = try isQuery ? PostgresText.query(sql) : PostgresText.statement(sql)
    guard count == arguments.count else {
      throw .statement(.init("\(arguments.count) arguments for \(sql)"))
    }
    if names.count == Self.statementLimit { forget() }
    nextName += 1
    let name = "s\(nextName)"
    names[key] = name
    note(link.prepare(name, text, types: parameters.types), .preparation(tag, key))
    execute(name, parameters, isQuery, tag)
  }

  /// Returns how long the server has owed an answer. Called at every tick.
  func silence(at now: ContinuousClock.Instant) -> Duration {
    if isIdle || progress != lastProgress.count { lastProgress = (progress, now) }
    return now - lastProgress.time
  }

  /// Queues a sync message, which ends a batch or an implicit transaction.
  func sync(_ tag: Tag) {
    note(link.sync(), .sync(tag))
  }

  /// Sends as much as the socket accepts.
  func flush() {
    guard !isLost, let isLeft = link.flush() else {
      isLost = true
      return
    }
    isSending = isLeft
  }

  /// Reads from the socket and delivers the complete answers.
  ///
  /// What is buffered of a connection that broke is not read: libpq has forgotten by then which
  /// commands it sent, and takes the head of a result for a whole one without rows.
  func receive(_ answer: (Answer) -> Void) {
    if !link.receive() || link.isLost { isLost = true }
    while !isLost && !isIdle && link.hasResult {
      take(link.nextResult(), answer)
      if link.isLost { isLost = true }
    }
    if answered > 256 || isIdle {
      expected.removeFirst(answered)
      answered = 0
    }
  }

  private func take(_ result: PostgresResult?, _ answer: (Answer) -> Void) {
    let current = expected[answered]
    guard let result else {
      // No null result follows a sync. One precedes it after the error of a failed implicit commit.
      if case .sync = current { return }
      answered += 1
      progress += 1
      if case .command(let tag, _) = current { answer(.done(tag)) }
      return
    }
    switch (current, result.status) {
    case (.sync(let tag), .sync):
      answered += 1
      progress += 1
      answer(.sync(tag))
    case (.preparation(_, let key), .passedOver): names[key] = nil
    case (.preparation(let tag, let key), .failed):
      names[key] = nil
      answer(.command(tag, result))
    case (.command(let tag, _), .failed(let error)):
      // It is unknown which other statements the session lost: all are prepared again.
      if error.isStale { names = [:] }
      answer(.command(tag, result))
    case (.command(let tag, _), .passedOver), (.sync(let tag), .failed):
      answer(.command(tag, result))
    case (.command(let tag, let isQuery), .done) where result.hasColumns || !isQuery:
      answer(.command(tag, result))
    case (.preparation, .done) where !result.hasColumns: break
    case (.own, .done), (.own, .passedOver), (.own, .failed): break
    default:
      // Another command's answer. Whoever went on would give results to the wrong readers.
      isLost = true
    }
  }

  private func execute(
    _ name: String, _ parameters: Parameters, _ isQuery: Bool, _ tag: Tag
  ) {
    note(link.execute(name, parameters), .command(tag, isQuery: isQuery))
  }

  /// Queues the deallocation of all prepared statements, in order with the commands sent before.
  private func forget() {
    names = [:]
    note(link.runUnprepared("DEALLOCATE ALL"), .own)
  }

  /// Queues a command with what is expected of it. After one that could not be queued nothing more
  /// is: a sync, which libpq sends at once, would commit a write without one of its statements.
  private func note(_ isQueued: @autoclosure () -> Bool, _ expectation: Expected) {
    if !isLost && isQueued() { expected.append(expectation) } else { isLost = true }
  }
}
