/// A SELECT as a value: its text, its arguments, and how its rows become a value.
///
/// The text names its columns, is written once for both engines, and has its parameters as `?1`,
/// `?2` …; `?1` may occur twice. A query returns at most `Limits.rowsPerQuery` rows (more throws
/// `StorageError.limit`): page by key, or use `Database.stream`.
public struct Query<Value: Sendable>: Sendable {
  public let sql: String
  public let arguments: [SQLValue]
  /// Turns the rows into the value. Runs on a thread of the engine: computes, waits for nothing.
  public let decode: @Sendable ([Row]) throws -> Value

  public init(
    _ sql: String, _ arguments: [any SQLValueConvertible] = [],
    decode: @escaping @Sendable ([Row]) throws -> Value
  ) {
    self.sql = sql
    self.arguments = arguments.map(\.sqlValue)
    self.decode = decode
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
    return Query<Other>(sql, arguments) { try transform(try decode($0)) }
  }
}

/// A query whose value's type is forgotten: how several travel together.
public struct AnyQuery: Sendable {
  public let sql: String
  public let arguments: [SQLValue]
  public let decode: @Sendable ([Row]) throws -> ReadResult

  public init<Value>(_ query: Query<Value>) {
    sql = query.sql
    arguments = query.arguments
    let decode = query.decode
    self.decode = { ReadResult(try decode($0)) }
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
}

/// The values of queries that were read from one snapshot, in the queries' order.
public struct ReadResults: Sendable {
  private let results: [ReadResult]

  /// For engines: one result a query.
  public init(_ results: [ReadResult]) {
    self.results = results
  }

  /// The value of the query at `index`; asking for another type than that query's is a mistake of
  /// the program and traps.
  public func value<Value: Sendable>(_ index: Int, of query: Query<Value>) -> Value {
    guard let box = results[index].box as? ReadResult.Box<Value> else {
      preconditionFailure("result \(index) isn't of the type of its query")
    }
    return box.value
  }
}
