/// One write as a value: read phases, a pure decision and a commit.
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
/// The closures must only compute: they must not block, access a store or read a clock. They may
/// run several times, of which one run takes effect; capture time, randomness and identifiers
/// outside. An error that they throw refuses the write: nothing is stored, and the caller receives
/// the error unchanged.
///
/// SQLite runs all phases inside its one write transaction. PostgreSQL pipelines each read phase
/// before the transaction, where the guards (`Statement.expects`, unique constraints) detect
/// concurrent changes. A write is correct only if its guards cover everything that it read.
public indirect enum Step<Reply: Sendable>: Sendable {
  /// Executes queries on one snapshot and decides the next step. Created by `read(_:then:)`.
  case phase([AnyQuery], @Sendable (ReadResults) throws -> Step<Reply>)
  /// Stores the commit durably, then replies.
  case commit(Commit, Reply)
  /// Replies without storing anything.
  case reply(Reply)

  /// Executes `queries` on one snapshot and decides the next step from their values.
  public static func read<each Value: Sendable>(
    _ queries: repeat Query<each Value>,
    then decide: @escaping @Sendable (repeat each Value) throws -> Step<Reply>
  ) -> Step<Reply> {
    let erased = erase(repeat each queries)
    return .phase(erased) { results in
      let values = try valuesOf(results, repeat each queries)
      return try decide(repeat each values)
    }
  }

  /// Executes any number of queries of one type on one snapshot.
  public static func read<Value: Sendable>(
    all queries: [Query<Value>], then decide: @escaping @Sendable ([Value]) throws -> Step<Reply>
  ) -> Step<Reply> {
    .phase(queries.compactMap { AnyQuery(asking: $0) }) { results in
      var index = 0
      return try decide(try queries.map { try $0.value(in: results, next: &index) })
    }
  }

  /// Returns the same write with its reply transformed.
  public func map<Other: Sendable>(
    _ transform: @escaping @Sendable (Reply) throws -> Other
  ) throws -> Step<Other> {
    try finish { commit, reply in
      let other = try transform(reply)
      return commit.map { .commit($0, other) } ?? .reply(other)
    }
  }

  /// Returns the same write with its last step replaced: `ending` receives the commit (`nil` if
  /// there is nothing to store) and the reply. Used to add a ledger's or a consumer's rows to the
  /// commit.
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
  /// Returns the same write with error handling: `recover` receives an error thrown by a phase and
  /// returns the step to take instead, or rethrows.
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

/// Erases the types of a pack of queries.
func erase<each Value: Sendable>(_ queries: repeat Query<each Value>) -> [AnyQuery] {
  var erased: [AnyQuery] = []
  for query in repeat each queries {
    if let query = AnyQuery(asking: query) { erased.append(query) }
  }
  return erased
}

/// Returns the typed values of a pack of queries.
func valuesOf<each Value: Sendable>(
  _ results: ReadResults, _ queries: repeat Query<each Value>
) throws -> (repeat each Value) {
  var index = 0
  return (repeat try (each queries).value(in: results, next: &index))
}
