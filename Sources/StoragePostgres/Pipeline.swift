internal import Storage

/// One connection in pipeline mode: what was sent, in order, and to whom each answer goes. Confined
/// to the engine's thread.
final class Pipeline<Tag> {
  /// An answer of the server. A command whose preparation failed gets the failure, and then
  /// `passedOver`; after its last result it is `done`.
  enum Answer {
    case command(Tag, PostgresResult)
    case done(Tag)
    case sync(Tag)
  }

  private enum Expected {
    case preparation(Tag, StatementKey)
    case command(Tag)
    /// A command of the pipeline's own.
    case own
    case sync(Tag)
  }

  private struct StatementKey: Hashable {
    let sql: String
    let types: [UInt32]
  }

  let link: PostgresLink
  private var expected: [Expected] = []
  /// Where `expected` begins: answered ones are cut off in bulk.
  private var answered = 0
  private var names: [StatementKey: String] = [:]
  private var nextName = 0
  private var sent = 0
  private var nextRenewal = firstRenewal
  /// Set once a call on the connection failed.
  private(set) var isLost = false
  /// Something is left to send.
  private(set) var isSending = false
  private var lastProgress = (count: 0, time: ContinuousClock.now)
  /// Rises with every answer: shows whether the server gets on.
  private(set) var progress = 0

  /// Statements kept: a service has some dozens; filters that are put together make more.
  private static var statementLimit: Int { 512 }

  /// The server keeps the plan that it made at a statement's first call, and of tables that were
  /// almost empty then it reads the whole, row for row, until they are analyzed. So plans are made
  /// anew after so many statements, and after four times as many each time: a table has grown
  /// little since, or is small.
  private static var firstRenewal: Int { 1_000 }
  private static var renewalFactor: Int { 4 }

  init(_ link: PostgresLink) {
    self.link = link
  }

  var isIdle: Bool { answered == expected.count }

  /// To whom the next answer goes.
  var head: Tag? {
    guard !isIdle else { return nil }
    switch expected[answered] {
    case .preparation(let tag, _), .command(let tag), .sync(let tag): return tag
    case .own: return nil
    }
  }

  /// Queues a statement; one that the connection doesn't know yet is prepared first.
  ///
  /// - Throws: `StorageError.statement` when the text or an argument is wrong: nothing is queued.
  func send(
    _ sql: String, _ arguments: [SQLValue], isQuery: Bool = false, _ tag: Tag
  ) throws(StorageError) {
    let parameters = try Parameters(arguments)
    sent += 1
    if sent == nextRenewal {
      nextRenewal *= Self.renewalFactor
      forget()
    }
    let key = StatementKey(sql: sql, types: parameters.types)
    if let name = names[key] { return execute(name, parameters, tag) }
    let (text, count) = try isQuery ? PostgresText.query(sql) : PostgresText.statement(sql)
    guard count == arguments.count else {
      throw .statement(.init("\(arguments.count) arguments for \(sql)"))
    }
    if names.count == Self.statementLimit { forget() }
    nextName += 1
    let name = "s\(nextName)"
    names[key] = name
    note(link.prepare(name, text, types: parameters.types), .preparation(tag, key))
    execute(name, parameters, tag)
  }

  /// How long the server owes an answer and gave none, asked at every tick.
  func silence(at now: ContinuousClock.Instant) -> Duration {
    if isIdle || progress != lastProgress.count { lastProgress = (progress, now) }
    return now - lastProgress.time
  }

  /// Queues the end of a batch or a transaction.
  func sync(_ tag: Tag) {
    note(link.sync(), .sync(tag))
  }

  /// Sends what the socket takes.
  func flush() {
    guard !isLost, let isLeft = link.flush() else {
      isLost = true
      return
    }
    isSending = isLeft
  }

  /// Takes what arrived and hands over what is complete.
  func receive(_ answer: (Answer) -> Void) {
    // A connection that breaks may still have answers to give.
    let isAlive = link.receive()
    while !isIdle && link.hasResult {
      take(link.nextResult(), answer)
      if link.isLost { break }
    }
    if answered > 256 || isIdle {
      expected.removeFirst(answered)
      answered = 0
    }
    if !isAlive || link.isLost { isLost = true }
  }

  private func take(_ result: PostgresResult?, _ answer: (Answer) -> Void) {
    let current = expected[answered]
    guard let result else {
      // Only a batch's end ends without: a failed commit is told before it.
      if case .sync = current { return }
      answered += 1
      progress += 1
      if case .command(let tag) = current { answer(.done(tag)) }
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
    case (.command(let tag), .failed(let error)):
      // What else the session forgot is not known: all is prepared anew.
      if error.isStale { names = [:] }
      answer(.command(tag, result))
    case (.command(let tag), _), (.sync(let tag), .failed): answer(.command(tag, result))
    default: break
    }
  }

  private func execute(_ name: String, _ parameters: Parameters, _ tag: Tag) {
    note(link.execute(name, parameters), .command(tag))
  }

  /// Lets the server forget all statements, in their order with what was sent.
  private func forget() {
    names = [:]
    note(link.runUnprepared("DEALLOCATE ALL"), .own)
  }

  private func note(_ isQueued: Bool, _ expectation: Expected) {
    if isQueued { expected.append(expectation) } else { isLost = true }
  }
}
