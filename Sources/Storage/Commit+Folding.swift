internal import Synchronization

extension Commit {
  /// Merges commits of one instant into one; returns `nil` if there are none.
  ///
  /// Commits with the same list of SQL texts are merged position by position: first the first
  /// statements of all, then the second ones, and so on; single-row INSERTs become multi-row
  /// INSERTs. The order of statements within each commit is kept. No two commits may touch the same
  /// row.
  init?(folding commits: [Commit]) {
    guard let first = commits.first else { return nil }
    self.init(at: first.time)
    for alike in Self.byTexts(commits) {
      for place in alike[0].statements.indices {
        statements += Statement.folded(alike.map { $0.statements[place] })
      }
    }
    for commit in commits {
      events += commit.events
      audit += commit.audit
    }
  }

  /// Groups commits by their list of SQL texts.
  private static func byTexts(_ commits: [Commit]) -> [[Commit]] {
    var groups: [[Commit]] = []
    for commit in commits {
      let place = groups.firstIndex { group in
        group[0].statements.elementsEqual(commit.statements) { $0.sql == $1.sql }
      }
      if let place { groups[place].append(commit) } else { groups.append([commit]) }
    }
    return groups
  }
}

extension Statement {
  /// The maximum number of rows per statement: a power of two.
  fileprivate static let rowsMax = 64

  /// Merges statements that share one SQL text and whose order is irrelevant: INSERTs of exactly
  /// one row become multi-row INSERTs, statements that add a number become one that adds the sum,
  /// and equal checks become one.
  ///
  /// Row counts are powers of two, and rows with NULLs in different columns go to separate
  /// statements, which limits the number of distinct texts to prepare.
  public static func folded(_ statements: [Statement]) -> [Statement] {
    guard let first = statements.first, statements.count > 1 else { return statements }
    if let place = first.adds { return summed(statements, place) }
    if first.isCheck {
      return statements.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
    guard let insert = RowInsert.of(first.sql),
      statements.allSatisfy({ $0.expects == .exactly(1) && $0.arguments.count == insert.columns })
    else { return statements }
    var alike: [[Statement]] = []
    for statement in statements {
      let place = alike.firstIndex { group in
        zip(group[0].arguments, statement.arguments).allSatisfy { ($0 == .null) == ($1 == .null) }
      }
      if let place { alike[place].append(statement) } else { alike.append([statement]) }
    }
    return alike.flatMap { group in
      var rest = group[...]
      var folded: [Statement] = []
      var rows = Self.rowsMax
      while !rest.isEmpty {
        while rows > rest.count { rows /= 2 }
        folded.append(
          Statement(
            insert.text(rows: rows), values: rest.prefix(rows).flatMap(\.arguments),
            expects: .exactly(rows)))
        rest = rest.dropFirst(rows)
      }
      return folded
    }
  }
}

extension Statement {
  /// Adds up numbers of the same sign only, because a guard may depend on the sign.
  private static func summed(_ statements: [Statement], _ place: Int) -> [Statement] {
    var sums: [Statement] = []
    for statement in statements {
      let index = sums.firstIndex { $0.equals(statement, besides: place) }
      guard case .integer(let number) = statement.arguments[place], let index,
        case .integer(let sum) = sums[index].arguments[place], (sum < 0) == (number < 0)
      else {
        sums.append(statement)
        continue
      }
      sums[index] = statement.with(sum + number, at: place)
    }
    return sums
  }

  /// Returns whether all other arguments than one are equal to those of a statement of the same
  /// text.
  private func equals(_ other: Statement, besides place: Int) -> Bool {
    expects == other.expects
      && arguments.indices.allSatisfy { $0 == place || arguments[$0] == other.arguments[$0] }
  }

  private func with(_ number: Int64, at place: Int) -> Statement {
    var changed = arguments
    changed[place] = .integer(number)
    return Statement(sql, values: changed, expects: expects, adds: adds)
  }
}

/// The text of a statement that inserts one row of values, `… VALUES (?1, ?2 …) …`, without further
/// arguments. Its remaining clauses apply to many rows as they do to one.
private struct RowInsert: Sendable {
  let columns: Int
  /// The texts for 1, 2, 4 … rows.
  private let texts: [String]

  /// The parsed texts by SQL, `nil` for texts of another form. A service has some dozens of texts.
  private static let known = Mutex<[String: RowInsert?]>([:])
  /// The number of entries at which the cache is cleared.
  private static let knownMax = 512

  /// Returns `nil` for a text of any other form.
  static func of(_ sql: String) -> RowInsert? {
    known.withLock { known in
      if let insert = known[sql] { return insert }
      if known.count >= knownMax { known = [:] }
      let insert = RowInsert(sql)
      known[sql] = .some(insert)
      return insert
    }
  }

  private init?(_ sql: String) {
    guard let values = sql.utf8.firstRange(of: "VALUES".utf8),
      let end = sql.utf8[values.upperBound...].firstIndex(of: UInt8(ascii: ")"))
    else { return nil }
    let list = sql[values.upperBound..<end].utf8.filter { $0 != 0x20 && $0 != 0x0A }
    var expected: [UInt8] = [UInt8(ascii: "(")]
    var columns = 0
    while expected.count < list.count {
      columns += 1
      expected += Array("\(columns == 1 ? "" : ",")?\(columns)".utf8)
    }
    let tail = sql[sql.utf8.index(after: end)...]
    // ON CONFLICT DO UPDATE fails when one statement affects a row twice.
    guard expected == list, columns > 0, !tail.utf8.contains(UInt8(ascii: "?")),
      tail.utf8.firstRange(of: "UPDATE".utf8) == nil
    else { return nil }
    self.columns = columns
    let head = sql[..<values.upperBound]
    let rows = (0..<Statement.rowsMax).map { row in
      "(" + (1...columns).map { "?\(row * columns + $0)" }.joined(separator: ", ") + ")"
    }
    texts = (0...Statement.rowsMax.trailingZeroBitCount).map { power in
      "\(head) \(rows.prefix(1 << power).joined(separator: ", "))\(tail)"
    }
  }

  /// - Parameter rows: A power of two, at most `Statement.rowsMax`.
  func text(rows: Int) -> String { texts[rows.trailingZeroBitCount] }
}
