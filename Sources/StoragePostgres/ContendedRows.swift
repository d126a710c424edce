internal import Storage

/// What writes of one group run into each other with: statements whose guards were seen to fail
/// there, by their text and the arguments that name the row. A hint: guards decide.
struct ContendedRows {
  struct Key: Hashable {
    let sql: String
    let values: [SQLValue]
  }

  /// Texts kept.
  private static let textsMax = 256
  /// Of each text, which arguments name the row.
  private var places: [String: [Int]] = [:]

  /// A guard failed beside others.
  mutating func learn(_ sql: String) {
    if places.count >= Self.textsMax { places = [:] }
    places[sql] = Self.conflictPlaces(of: sql) ?? [0]
  }

  /// The contended rows that a write touches.
  func keys(of commit: Commit) -> Set<Key> {
    if places.isEmpty { return [] }
    var keys: Set<Key> = []
    for statement in commit.statements {
      guard let places = places[statement.sql] else { continue }
      let values = places.filter { $0 < statement.arguments.count }.map { statement.arguments[$0] }
      keys.insert(Key(sql: statement.sql, values: values))
    }
    return keys
  }

  /// Of `INSERT INTO t (a, b) VALUES (?1, ?2) ON CONFLICT (b) …`, the arguments of the columns
  /// that conflict; `nil` for any other form, where the first argument is taken for the row's name.
  static func conflictPlaces(of sql: String) -> [Int]? {
    var lists: [[SQLText.Piece]] = []
    var depth = 0
    for piece in SQLText(sql).pieces {
      switch piece {
      case .other("("):
        depth += 1
        if depth == 1 { lists.append([]) }
      case .other(")"): depth -= 1
      case .word, .parameter, .quoted:
        if depth > 1 { return nil }
        if depth == 1 { lists[lists.count - 1].append(piece) }
      case .space, .other, .dollar: break
      }
    }
    guard lists.count >= 3, lists[0].count == lists[1].count else { return nil }
    let places = lists[2].compactMap { column -> Int? in
      guard let index = lists[0].firstIndex(of: column),
        case .parameter(let number?) = lists[1][index]
      else { return nil }
      return number - 1
    }
    return places.count == lists[2].count && !places.isEmpty ? places : nil
  }
}
