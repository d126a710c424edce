extension Step {
  /// Combines many writes into one: they share their read phases and one atomic commit.
  ///
  /// An error thrown by one of them becomes its own result and does not affect the others. Since
  /// all of them read before any is stored, no two may concern the same rows: a failing guard or
  /// constraint fails all of them, and the caller then runs each alone. A query used by several
  /// writes in the same phase is executed once (so the text and the arguments must determine its
  /// decoding), keyed queries (`Query.keyed`) of one text are merged, and INSERTs of the same text
  /// become multi-row INSERTs.
  public static func together<One: Sendable>(
    _ writes: [@Sendable () throws -> Step<One>]
  ) -> Step where Reply == [Result<One, any Error>] {
    advance(writes.map { write in Part { try write() } })
  }

  /// Executes the next phase of all parts together, until none has a phase left.
  private static func advance<One: Sendable>(
    _ parts: [Part<One>]
  ) -> Step where Reply == [Result<One, any Error>] {
    var phase = SharedPhase()
    let asked = parts.map { part -> [SharedPhase.Place] in
      if case .goesOn(.phase(let queries, _)) = part { phase.add(queries) } else { [] }
    }
    guard !phase.isEmpty else { return end(parts) }
    return .phase(phase.queries) { results in
      advance(
        zip(parts, asked).map { part, places in
          guard case .goesOn(.phase(_, let decide)) = part else { return part }
          return Part { try decide(ReadResults(try places.map { try $0.result(in: results) })) }
        })
    }
  }

  /// Merges the commits of the finished parts.
  private static func end<One: Sendable>(
    _ parts: [Part<One>]
  ) -> Step where Reply == [Result<One, any Error>] {
    var commits: [Commit] = []
    var results: [Result<One, any Error>] = []
    for part in parts {
      switch part {
      case .refused(let error): results.append(.failure(error))
      case .goesOn(.reply(let reply)): results.append(.success(reply))
      case .goesOn(.commit(let commit, let reply)):
        results.append(.success(reply))
        commits.append(commit)
      case .goesOn(.phase): preconditionFailure("a phase asks something")
      }
    }
    return Commit(folding: commits).map { .commit($0, results) } ?? .reply(results)
  }
}

/// The progress of one of the combined writes.
private enum Part<Reply: Sendable>: Sendable {
  /// Its next step: a phase with queries, a commit or a reply.
  case goesOn(Step<Reply>)
  /// It threw an error.
  case refused(any Error)

  init(_ next: () throws -> Step<Reply>) {
    do {
      var step = try next()
      while case .phase(let queries, let decide) = step, queries.isEmpty {
        step = try decide(ReadResults([]))
      }
      self = .goesOn(step)
    } catch {
      self = .refused(error)
    }
  }
}

/// The queries of one phase of many writes: without duplicates, and with keyed queries merged.
private struct SharedPhase {
  private struct Question: Hashable {
    let sql: String
    let arguments: [SQLValue]

    /// Hashes the length of the text only: texts are long, and two of the same length are rare.
    func hash(into hasher: inout Hasher) {
      hasher.combine(sql.utf8.count)
      hasher.combine(arguments)
    }
  }

  /// The merged keyed queries of one text.
  private struct Group {
    let text: KeyedText
    private var keys: [SQLValue] = []
    private var known: Set<SQLValue> = []

    init(text: KeyedText, keys: [SQLValue]) {
      self.text = text
      add(keys)
    }

    mutating func add(_ more: [SQLValue]) {
      for key in more where known.insert(key).inserted { keys.append(key) }
    }

    /// The merged query.
    var query: AnyQuery {
      let keys = InList.padded(keys)
      let column = text.column
      return AnyQuery(
        Query<[SQLValue: [Row]]>(text.sql(places: keys.count), keys) { rows in
          try Dictionary(grouping: rows) { try $0.value(column) }
        })
    }
  }

  /// The location of a query's result: a result of its own, or a share of a merged one.
  enum Place: Sendable {
    case whole(Int)
    case share(Int, AnyQuery)

    func result(in results: ReadResults) throws -> ReadResult {
      switch self {
      case .whole(let index): return results[index]
      case .share(let index, let query):
        guard let rows: [SQLValue: [Row]] = results[index].value() else {
          preconditionFailure("a group's result is its rows by key")
        }
        return try query.decode(query.arguments.flatMap { rows[$0] ?? [] })
      }
    }
  }

  private enum Asked {
    case whole(AnyQuery)
    /// An index of `groups`.
    case group(Int)
  }

  private var asked: [Asked] = []
  private var places: [Question: Int] = [:]
  private var groups: [Group] = []
  /// The indices in `asked` and `groups` of each text.
  private var known: [KeyedText: (place: Int, group: Int)] = [:]

  var isEmpty: Bool { asked.isEmpty }

  var queries: [AnyQuery] {
    asked.map { asked in
      switch asked {
      case .whole(let query): query
      case .group(let index): groups[index].query
      }
    }
  }

  /// Adds the queries of one write.
  ///
  /// - Returns: The location of each query's result.
  mutating func add(_ queries: [AnyQuery]) -> [Place] {
    queries.map { query in
      if let text = query.keyed { return .share(add(query.arguments, to: text), query) }
      let question = Question(sql: query.sql, arguments: query.arguments)
      if let place = places[question] { return .whole(place) }
      places[question] = asked.count
      asked.append(.whole(query))
      return .whole(asked.count - 1)
    }
  }

  private mutating func add(_ keys: [SQLValue], to text: KeyedText) -> Int {
    if let (place, group) = known[text] {
      groups[group].add(keys)
      return place
    }
    let place = asked.count
    known[text] = (place, groups.count)
    asked.append(.group(groups.count))
    groups.append(Group(text: text, keys: keys))
    return place
  }
}
