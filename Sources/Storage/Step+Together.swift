extension Step {
  /// Many writes as one: they read together, and are stored together, all or none.
  ///
  /// What one of them throws is its own result and takes no other with it. Since all have read
  /// before any is stored, no two may be about the same rows: a guard or a constraint that fails
  /// fails all of them, and the caller does each alone then. A query that several of them ask in
  /// the same phase is asked once (text and arguments must say how its rows are read), those by
  /// keys (`Query.keyed`) are one, and like rows are inserted together.
  public static func together<One: Sendable>(
    _ writes: [@Sendable () throws -> Step<One>]
  ) -> Step where Reply == [Result<One, any Error>] {
    advance(writes.map { write in Part { try write() } })
  }

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

/// One of many writes: where it stands.
private enum Part<Reply: Sendable>: Sendable {
  /// Its next phase asks something, or it has none any more.
  case goesOn(Step<Reply>)
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

/// The queries of one phase of many writes: each once, and those by keys as one.
private struct SharedPhase {
  private struct Question: Hashable {
    let sql: String
    let arguments: [SQLValue]

    /// Texts are long, and of one length seldom two.
    func hash(into hasher: inout Hasher) {
      hasher.combine(sql.utf8.count)
      hasher.combine(arguments)
    }
  }

  /// Queries by keys of one text.
  private struct Group {
    let text: KeyedText
    var keys: [SQLValue] = []
    var known: Set<SQLValue> = []

    mutating func add(_ more: [SQLValue]) {
      for key in more where known.insert(key).inserted { keys.append(key) }
    }

    /// The last key as often as it takes to a power of two: few texts for an engine to compile.
    var query: AnyQuery {
      var places = 1
      while places < keys.count { places *= 2 }
      let padding = keys.last.map { Array(repeating: $0, count: places - keys.count) } ?? []
      let column = text.column
      return AnyQuery(
        Query<[SQLValue: [Row]]>(text.sql(places: places), keys + padding) { rows in
          try Dictionary(grouping: rows) { try $0.value(column) }
        })
    }
  }

  /// Where the result of a query will be.
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
    case group(Group)
  }

  private var asked: [Asked] = []
  private var places: [Question: Int] = [:]
  private var groups: [KeyedText: Int] = [:]

  var isEmpty: Bool { asked.isEmpty }

  var queries: [AnyQuery] {
    asked.map { asked in
      switch asked {
      case .whole(let query): query
      case .group(let group): group.query
      }
    }
  }

  /// - Returns: Where each query's result will be.
  mutating func add(_ queries: [AnyQuery]) -> [Place] {
    queries.map { query in
      if let text = query.keyed { return .share(add(query, to: text), query) }
      let question = Question(sql: query.sql, arguments: query.arguments)
      if let place = places[question] { return .whole(place) }
      places[question] = asked.count
      asked.append(.whole(query))
      return .whole(asked.count - 1)
    }
  }

  private mutating func add(_ query: AnyQuery, to text: KeyedText) -> Int {
    let place = groups[text] ?? asked.count
    var group = Group(text: text)
    if place == asked.count {
      groups[text] = place
      asked.append(.group(group))
    } else if case .group(let known) = asked[place] {
      group = known
    }
    group.add(query.arguments)
    asked[place] = .group(group)
    return place
  }
}
