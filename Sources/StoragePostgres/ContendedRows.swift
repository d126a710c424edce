internal import Storage

/// The rows on which writes of one group were seen to conflict: statements whose guards failed,
/// identified by their text and the arguments that name the row. Only a hint; guards decide.
struct ContendedRows {
  struct Key: Hashable {
    let sql: String
    let values: [SQLValue]
  }

  /// The maximum number of texts kept.
  private static let textsMax = 256
  /// The indexes of the arguments that name the row, by SQL text.
  private var places: [String: [Int]] = [:]

  /// Records a statement whose guard failed in a shared transaction.
  mutating func learn(_ sql: String) {
    if places.count >= Self.textsMax { places = [:] }
    places[sql] = Self.conflictPlaces(of: sql) ?? [0]
  }

  /// Returns the contended rows that a commit affects.
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

  /// Returns the indexes of the arguments of the conflict columns in `INSERT INTO t (a, b) VALUES
  /// (?1, ?2) ON CONFLICT (b) …`; `nil` for any other form, where the first argument is assumed to
  /// name the row.
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
