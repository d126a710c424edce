/// A SELECT as a value: its text, its arguments, and how its rows become a value.
///
/// The text names its columns, is written once for both engines, and has its parameters as `?1`,
/// `?2` …; `?1` may occur twice. A query returns at most `Limits.rowsPerQuery` rows (more throws
/// `StorageError.limit`): page by key, or use `Database.stream`.
public struct Query<Value: Sendable>: Sendable {
  /// The SQL text. For a keyed query it is composed on each access: one that `Step.together` merges
  /// with others never needs its own.
  public var sql: String { keyed?.sql(places: arguments.count) ?? text }
  fileprivate let text: String
  public let arguments: [SQLValue]
  /// Turns the rows into the value. Runs on a thread of the engine: computes, waits for nothing.
  public let decode: @Sendable ([Row]) throws -> Value
  /// Where it may be asked together with its like; its arguments are the keys then.
  let keyed: KeyedText?

  public init(
    _ sql: String, _ arguments: [any SQLValueConvertible] = [],
    decode: @escaping @Sendable ([Row]) throws -> Value
  ) {
    text = sql
    self.arguments = arguments.map(\.sqlValue)
    self.decode = decode
    keyed = nil
  }

  private init(
    _ keyed: KeyedText, _ keys: [SQLValue], decode: @escaping @Sendable ([Row]) throws -> Value
  ) {
    text = ""
    arguments = keys
    self.decode = decode
    self.keyed = keyed
  }

  /// What belongs to some keys: `head (?1, ?2 …) tail`, for example `… WHERE id IN` as head; or,
  /// as a table of keys, `head (?1), (?2) … tail`, as in `WITH k (id) AS (VALUES`.
  ///
  /// Of several such queries that many writes ask (`Step.together`) one is made. So a row says its
  /// key in `column`, and `decode` gets the rows of its own keys, those of one key in their order.
  public static func keyed(
    _ head: String, _ keys: [any SQLValueConvertible], asTable: Bool = false, _ tail: String = "",
    column: String, decode: @escaping @Sendable ([Row]) throws -> Value
  ) -> Query {
    Query(
      KeyedText(head: head, tail: tail, isTable: asTable, column: column), keys.map(\.sqlValue),
      decode: decode)
  }

  /// Every row, in the query's order.
  public static func all<Element: Sendable>(
    _ sql: String, _ arguments: [any SQLValueConvertible] = [],
    _ decode: @escaping @Sendable (Row) throws -> Element
  ) -> Query where Value == [Element] {
    Query(sql, arguments) { try $0.map(decode) }
  }

  /// The first row, or `nil` where there is none.
  public static func first<Element: Sendable>(
    _ sql: String, _ arguments: [any SQLValueConvertible] = [],
    _ decode: @escaping @Sendable (Row) throws -> Element
  ) -> Query where Value == Element? {
    Query(sql, arguments) { try $0.first.map(decode) }
  }

  /// The one row that there always is (an aggregate); throws `StorageError.column` where none is.
  public static func one(
    _ sql: String, _ arguments: [any SQLValueConvertible] = [],
    _ decode: @escaping @Sendable (Row) throws -> Value
  ) -> Query {
    Query(sql, arguments) { rows in
      guard let row = rows.first else { throw StorageError.column("(no row)") }
      return try decode(row)
    }
  }

  /// Whether there is any row. The SELECT should end in `LIMIT 1`.
  public static func exists(
    _ sql: String, _ arguments: [any SQLValueConvertible] = []
  ) -> Query where Value == Bool {
    Query(sql, arguments) { !$0.isEmpty }
  }

  /// The same query with its value turned into another.
  public func map<Other: Sendable>(
    _ transform: @escaping @Sendable (Value) throws -> Other
  ) -> Query<Other> {
    let decode = decode
    guard let keyed else { return Query<Other>(text, arguments) { try transform(try decode($0)) } }
    return Query<Other>(keyed, arguments) { try transform(try decode($0)) }
  }
}

/// A query whose value's type is forgotten: how several travel together.
public struct AnyQuery: Sendable {
  public var sql: String { keyed?.sql(places: arguments.count) ?? text }
  private let text: String
  public let arguments: [SQLValue]
  public let decode: @Sendable ([Row]) throws -> ReadResult
  let keyed: KeyedText?

  public init<Value>(_ query: Query<Value>) {
    keyed = query.keyed
    text = query.text
    arguments = query.arguments
    let decode = query.decode
    self.decode = { ReadResult(try decode($0)) }
  }
}

/// The text of a query by keys, without them.
struct KeyedText: Sendable, Hashable {
  let head: String
  let tail: String
  /// Each key is a row of its own, and not an item of a list.
  let isTable: Bool
  /// The column of the result that holds a row's key.
  let column: String

  /// By length only, which is cheap: two texts of the same length are rare.
  func hash(into hasher: inout Hasher) {
    hasher.combine(head.utf8.count)
    hasher.combine(tail.utf8.count)
  }

  func sql(places: Int) -> String {
    let list =
      places <= 1
      ? isTable ? "(?1)" : "?1"
      : (1...places).map { isTable ? "(?\($0))" : "?\($0)" }.joined(separator: ", ")
    return isTable ? "\(head) \(list) \(tail)" : "\(head) (\(list)) \(tail)"
  }
}

/// The value of one query, its type forgotten.
public struct ReadResult: Sendable {
  /// A box of the value's type: cheaper to recognize than the value in an existential.
  fileprivate final class Box<Value: Sendable>: Sendable {
    let value: Value

    init(_ value: Value) {
      self.value = value
    }
  }

  fileprivate let box: any AnyObject & Sendable

  init<Value: Sendable>(_ value: Value) {
    box = Box(value)
  }

  /// nil where it is of another type.
  func value<Value: Sendable>() -> Value? {
    (box as? Box<Value>)?.value
  }
}

/// The values of queries that were read from one snapshot, in the queries' order.
public struct ReadResults: Sendable {
  private let results: [ReadResult]

  /// For engines: one result a query.
  public init(_ results: [ReadResult]) {
    self.results = results
  }

  subscript(index: Int) -> ReadResult { results[index] }

  /// The value of the query at `index`; asking for another type than that query's is a mistake of
  /// the program and traps.
  public func value<Value: Sendable>(_ index: Int, of query: Query<Value>) -> Value {
    guard let value: Value = results[index].value() else {
      preconditionFailure("result \(index) isn't of the type of its query")
    }
    return value
  }
}
