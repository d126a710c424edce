public import Foundation

/// One row of a query result, with typed access by column name as spelled in the SELECT.
///
/// Each accessor throws `StorageError.column` if the column is absent, NULL (except in the
/// `optional…` accessors) or of another kind. A mismatch between a query and its decoder is a
/// programming error, which must not turn into a default value.
public struct Row: Sendable, Hashable {
  /// The column names, shared by all rows of one result.
  public let columns: [String]
  /// The values, in the order of `columns`.
  public let values: [SQLValue]

  /// Creates a row. For engines, and for tests of decoders.
  public init(columns: [String], values: [SQLValue]) {
    precondition(columns.count == values.count, "a row has one value a column")
    self.columns = columns
    self.values = values
  }

  /// Returns the value of a column as stored.
  public func value(_ column: String) throws(StorageError) -> SQLValue {
    guard let index = columns.firstIndex(of: column) else { throw .column(column) }
    return values[index]
  }

  /// Returns a text.
  public func text(_ column: String) throws(StorageError) -> String {
    guard case .text(let text) = try value(column) else { throw .column(column) }
    return text
  }

  /// Returns an integer.
  public func integer(_ column: String) throws(StorageError) -> Int64 {
    guard case .integer(let integer) = try value(column) else { throw .column(column) }
    return integer
  }

  /// Returns an integer as `Int`, for counts and sizes.
  public func int(_ column: String) throws(StorageError) -> Int {
    Int(try integer(column))
  }

  /// Returns an integer as `Int32`, for the raw values of enums; throws if it does not fit.
  public func int32(_ column: String) throws(StorageError) -> Int32 {
    guard let value = Int32(exactly: try integer(column)) else { throw .column(column) }
    return value
  }

  /// Returns an integer as a Boolean: false for 0.
  public func boolean(_ column: String) throws(StorageError) -> Bool {
    try integer(column) != 0
  }

  /// Returns a real. Converts an integer, because SQLite may store 2.0 as one.
  public func real(_ column: String) throws(StorageError) -> Double {
    switch try value(column) {
    case .real(let real): return real
    case .integer(let integer): return Double(integer)
    default: throw .column(column)
    }
  }

  /// Returns a blob, which may be empty.
  public func blob(_ column: String) throws(StorageError) -> [UInt8] {
    guard case .blob(let bytes) = try value(column) else { throw .column(column) }
    return bytes
  }

  /// Returns an instant, stored as microseconds since 1970.
  public func instant(_ column: String) throws(StorageError) -> Date {
    Date(microseconds: try integer(column))
  }

  /// Returns a text; `nil` for NULL.
  public func optionalText(_ column: String) throws(StorageError) -> String? {
    try isNull(column) ? nil : try text(column)
  }

  /// Returns an integer; `nil` for NULL.
  public func optionalInteger(_ column: String) throws(StorageError) -> Int64? {
    try isNull(column) ? nil : try integer(column)
  }

  /// Returns an integer as `Int`; `nil` for NULL.
  public func optionalInt(_ column: String) throws(StorageError) -> Int? {
    try isNull(column) ? nil : try int(column)
  }

  /// Returns a real; `nil` for NULL.
  public func optionalReal(_ column: String) throws(StorageError) -> Double? {
    try isNull(column) ? nil : try real(column)
  }

  /// Returns a blob; `nil` for NULL.
  public func optionalBlob(_ column: String) throws(StorageError) -> [UInt8]? {
    try isNull(column) ? nil : try blob(column)
  }

  /// Returns whether a column is NULL.
  public func isNull(_ column: String) throws(StorageError) -> Bool {
    try value(column) == .null
  }
}
