/// One write as a value: read phases, a pure decision, then a commit.
///
///     try await database.write {
///       .read(Members.byHash(hash), Organizations.byID(id)) { existing, organization in
///         guard existing == nil else { throw MembersError.alreadyMember }
///         var commit = Commit(at: now)
///         commit.run("INSERT INTO member (id, …) VALUES (?1, …)", [id, …], expects: .exactly(1))
///         return .commit(commit, reply)
///       }
///     }
///
/// Contract of the closures: they compute only (no waiting, no store, no clock), and they may run
/// more than once, of which one run counts: what they need of time, randomness and identifiers is
/// captured from outside. What they throw refuses the write: nothing is stored, and the error
/// reaches the caller as it is.
///
/// SQLite runs all phases inside its one write transaction. PostgreSQL pipelines each read phase
/// before the transaction: there the guards (`Statement.expects`, unique constraints) notice what
/// another writer did in between. A write is right only if its guards cover what it read.
public indirect enum Step<Reply: Sendable>: Sendable {
  /// Reads from one snapshot, then goes on. Written with `read(_:then:)`.
  case phase([AnyQuery], @Sendable (ReadResults) throws -> Step<Reply>)
  /// Stores all of the commit, durably, then replies.
  case commit(Commit, Reply)
  /// There is nothing to store.
  case reply(Reply)

  /// Reads `queries` from one snapshot and decides with their values.
  public static func read<each Value: Sendable>(
    _ queries: repeat Query<each Value>,
    then decide: @escaping @Sendable (repeat each Value) throws -> Step<Reply>
  ) -> Step<Reply> {
    let erased = erase(repeat each queries)
    return .phase(erased) { results in
      let values = valuesOf(results, repeat each queries)
      return try decide(repeat each values)
    }
  }

  /// Reads any number of queries of one type.
  public static func read<Value: Sendable>(
    all queries: [Query<Value>], then decide: @escaping @Sendable ([Value]) throws -> Step<Reply>
  ) -> Step<Reply> {
    .phase(queries.map { AnyQuery($0) }) { results in
      try decide(queries.indices.map { results.value($0, of: queries[$0]) })
    }
  }

  /// The same write with another reply.
  public func map<Other: Sendable>(
    _ transform: @escaping @Sendable (Reply) throws -> Other
  ) throws -> Step<Other> {
    try finish { commit, reply in
      let other = try transform(reply)
      return commit.map { .commit($0, other) } ?? .reply(other)
    }
  }

  /// The same write with its end rewritten: `ending` gets the commit (`nil` where there is nothing
  /// to store) and the reply. So a ledger or a consumer's cursor joins the commit.
  public func finish<Other: Sendable>(
    _ ending: @escaping @Sendable (Commit?, Reply) throws -> Step<Other>
  ) throws -> Step<Other> {
    switch self {
    case .phase(let queries, let decide):
      return .phase(queries) { try decide($0).finish(ending) }
    case .commit(let commit, let reply):
      return try ending(commit, reply)
    case .reply(let reply):
      return try ending(nil, reply)
    }
  }
}

extension Step {
  /// The same write, except that an error thrown by a phase goes to `recover`, which returns the
  /// step to take instead, or rethrows.
  func orElse(
    _ recover: @escaping @Sendable (any Error) throws -> Step<Reply>
  ) -> Step<Reply> {
    guard case .phase(let queries, let decide) = self else { return self }
    return .phase(queries) { results in
      let next: Step<Reply>
      do { next = try decide(results) } catch { return try recover(error) }
      return next.orElse(recover)
    }
  }
}

/// The queries of a pack, types forgotten.
func erase<each Value: Sendable>(_ queries: repeat Query<each Value>) -> [AnyQuery] {
  var erased: [AnyQuery] = []
  for query in repeat each queries { erased.append(AnyQuery(query)) }
  return erased
}

/// The values of a pack of queries, typed again.
func valuesOf<each Value: Sendable>(
  _ results: ReadResults, _ queries: repeat Query<each Value>
) -> (repeat each Value) {
  var index = 0
  func next<One: Sendable>(_ query: Query<One>) -> One {
    defer { index += 1 }
    return results.value(index, of: query)
  }
  return (repeat next(each queries))
}
