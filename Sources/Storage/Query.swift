/// A SELECT as a value: its text, its arguments, and the decoding of its rows.
///
/// The text is written once for both engines, names its columns, and has parameters `?1`, `?2` …,
/// each of which may occur repeatedly. A query returns at most `Limits.rowsPerQuery` rows and
/// throws `StorageError.limit` beyond that: page by key, or use `Database.stream`.
public struct Query<Value: Sendable>: Sendable {
  /// The SQL text. For a keyed query it is composed on each access, because a query merged by
  /// `Step.together` never needs its own text.
  public var sql: String { text.sql(places: arguments.count) }
  let text: QueryText
  /// The arguments, bound to `?1`, `?2` and so on.
  public let arguments: [SQLValue]
  /// Decodes the rows. Runs on a thread of the engine, which it must not block.
  public let decode: @Sendable ([Row]) throws -> Value

  /// Creates a query with the given text, arguments and decoding.
  public init(
    _ sql: String, _ arguments: [any SQLValueConvertible] = [],
    decode: @escaping @Sendable ([Row]) throws -> Value
  ) {
    self.init(.whole(sql), arguments.map(\.sqlValue), decode: decode)
  }

  private init(
    _ text: QueryText, _ arguments: [SQLValue],
    decode: @escaping @Sendable ([Row]) throws -> Value
  ) {
    self.text = text
    self.arguments = arguments
    self.decode = decode
  }

  /// Creates a query with a known value, which never reaches the engine.
  public static func constant(_ value: Value) -> Query {
    Query(.none, []) { _ in value }
  }

  /// Creates a query of the rows of some keys: `head (?1, ?2 …) tail`, with `… WHERE id IN` as
  /// head; or, with the keys as a table, `head (?1), (?2) … tail`, with `WITH k (id) AS (VALUES` as
  /// head.
  ///
  /// `Step.together` merges such queries of many writes into one. Therefore each row holds its key
  /// in `column`, and `decode` receives the rows of its own keys only, those of one key in query
  /// order.
  public static func keyed(
    _ head: String, _ keys: [any SQLValueConvertible], asTable: Bool = false, _ tail: String = "",
    column: String, decode: @escaping @Sendable ([Row]) throws -> Value
  ) -> Query {
    Query(
      .keyed(KeyedText(head: head, tail: tail, isTable: asTable, column: column)),
      keys.map(\.sqlValue), decode: decode)
  }

  /// Returns every row, in query order.
  public static func all<Element: Sendable>(
    _ sql: String, _ arguments: [any SQLValueConvertible] = [],
    _ decode: @escaping @Sendable (Row) throws -> Element
  ) -> Query where Value == [Element] {
    Query(sql, arguments) { try $0.map(decode) }
  }

  /// Returns the first row, or `nil` if there is none.
  public static func first<Element: Sendable>(
    _ sql: String, _ arguments: [any SQLValueConvertible] = [],
    _ decode: @escaping @Sendable (Row) throws -> Element
  ) -> Query where Value == Element? {
    Query(sql, arguments) { try $0.first.map(decode) }
  }

  /// Returns the only row, e.g. of an aggregate; throws `StorageError.column` if there is none.
  public static func one(
    _ sql: String, _ arguments: [any SQLValueConvertible] = [],
    _ decode: @escaping @Sendable (Row) throws -> Value
  ) -> Query {
    Query(sql, arguments) { rows in
      guard let row = rows.first else { throw StorageError.column("(no row)") }
      return try decode(row)
    }
  }

  /// Returns whether there is any row. The SELECT should end in `LIMIT 1`.
  public static func exists(
    _ sql: String, _ arguments: [any SQLValueConvertible] = []
  ) -> Query where Value == Bool {
    Query(sql, arguments) { !$0.isEmpty }
  }

  /// Returns the same query with its value transformed.
  public func map<Other: Sendable>(
    _ transform: @escaping @Sendable (Value) throws -> Other
  ) -> Query<Other> {
    let decode = decode
    return Query<Other>(text, arguments) { try transform(try decode($0)) }
  }

  /// Returns its value: the next result, unless it is a constant.
  func value(in results: ReadResults, next index: inout Int) throws -> Value {
    if case .none = text { return try decode([]) }
    defer { index += 1 }
    return results.value(index, of: self)
  }
}

/// The text of a query.
enum QueryText: Sendable {
  /// The text of a constant, which has none.
  case none
  case whole(String)
  case keyed(KeyedText)

  func sql(places: Int) -> String {
    switch self {
    case .none: ""
    case .whole(let text): text
    case .keyed(let text): text.sql(places: places)
    }
  }
}

/// A type-erased query, for lists of queries of different types.
public struct AnyQuery: Sendable {
  /// The SQL text.
  public var sql: String { text.sql(places: arguments.count) }
  private let text: QueryText
  /// The arguments, bound to `?1`, `?2` and so on.
  public let arguments: [SQLValue]
  /// Decodes the rows into a type-erased value.
  public let decode: @Sendable ([Row]) throws -> ReadResult

  /// Erases the type of a query, which must not be a constant.
  public init<Value>(_ query: Query<Value>) {
    guard let erased = Self(asking: query) else { preconditionFailure("a constant has no text") }
    self = erased
  }

  /// Erases the type of a query; `nil` for a constant.
  init?<Value>(asking query: Query<Value>) {
    if case .none = query.text { return nil }
    text = query.text
    arguments = query.arguments
    let decode = query.decode
    self.decode = { ReadResult(try decode($0)) }
  }

  var keyed: KeyedText? { if case .keyed(let text) = text { text } else { nil } }
}

/// The text of a keyed query, without its keys.
struct KeyedText: Sendable, Hashable {
  let head: String
  let tail: String
  /// Whether each key is a row of a table instead of an item of a list.
  let isTable: Bool
  /// The result column that holds a row's key.
  let column: String

  /// Hashes the lengths only, which is cheap: two texts of the same length are rare.
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

/// The type-erased value of one query.
public struct ReadResult: Sendable {
  /// A typed box: cheaper to downcast than the value in an existential.
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

  /// Returns the value, or `nil` if it is of another type.
  func value<Value: Sendable>() -> Value? {
    (box as? Box<Value>)?.value
  }
}

/// The values of queries that were executed on one snapshot, in the order of the queries.
public struct ReadResults: Sendable {
  private let results: [ReadResult]

  /// Creates the results from one result per query. For engines.
  public init(_ results: [ReadResult]) {
    self.results = results
  }

  subscript(index: Int) -> ReadResult { results[index] }

  /// Returns the value of the query at `index`. Traps if `query` is of another type than that
  /// query.
  public func value<Value: Sendable>(_ index: Int, of query: Query<Value>) -> Value {
    guard let value: Value = results[index].value() else {
      preconditionFailure("result \(index) isn't of the type of its query")
    }
    return value
  }
}
