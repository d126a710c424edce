public import Foundation

/// One row of a query's result: typed access by the column's name as the SELECT spells it.
///
/// Each accessor throws `StorageError.column` when the column is absent, NULL (unless the accessor
/// is an `optional…`) or of another kind: a query and its decoder that disagree are a mistake of
/// the program, which must not turn into a default value.
public struct Row: Sendable, Hashable {
  /// The columns' names, shared by all rows of one result.
  public let columns: [String]
  /// The values, in the order of `columns`.
  public let values: [SQLValue]

  /// For engines, and for tests of decoders.
  public init(columns: [String], values: [SQLValue]) {
    precondition(columns.count == values.count, "a row has one value a column")
    self.columns = columns
    self.values = values
  }

  /// The value of a column as stored.
  public func value(_ column: String) throws(StorageError) -> SQLValue {
    guard let index = columns.firstIndex(of: column) else { throw .column(column) }
    return values[index]
  }

  public func text(_ column: String) throws(StorageError) -> String {
    guard case .text(let text) = try value(column) else { throw .column(column) }
    return text
  }

  public func integer(_ column: String) throws(StorageError) -> Int64 {
    guard case .integer(let integer) = try value(column) else { throw .column(column) }
    return integer
  }

  /// As `integer`, for counts and sizes.
  public func int(_ column: String) throws(StorageError) -> Int {
    Int(try integer(column))
  }

  /// As `integer`, for the raw values of enums; throws when the value needs more than 32 bits.
  public func int32(_ column: String) throws(StorageError) -> Int32 {
    guard let value = Int32(exactly: try integer(column)) else { throw .column(column) }
    return value
  }

  public func boolean(_ column: String) throws(StorageError) -> Bool {
    try integer(column) != 0
  }

  /// An integer is taken as the real it stands for (SQLite stores 2.0 as it likes).
  public func real(_ column: String) throws(StorageError) -> Double {
    switch try value(column) {
    case .real(let real): return real
    case .integer(let integer): return Double(integer)
    default: throw .column(column)
    }
  }

  /// An empty blob is a value; only NULL throws.
  public func blob(_ column: String) throws(StorageError) -> [UInt8] {
    guard case .blob(let bytes) = try value(column) else { throw .column(column) }
    return bytes
  }

  /// An instant, stored as microseconds since 1970.
  public func instant(_ column: String) throws(StorageError) -> Date {
    Date(microsecondsSince1970: try integer(column))
  }

  public func optionalText(_ column: String) throws(StorageError) -> String? {
    try isNull(column) ? nil : try text(column)
  }

  public func optionalInteger(_ column: String) throws(StorageError) -> Int64? {
    try isNull(column) ? nil : try integer(column)
  }

  public func optionalInt(_ column: String) throws(StorageError) -> Int? {
    try isNull(column) ? nil : try int(column)
  }

  public func optionalReal(_ column: String) throws(StorageError) -> Double? {
    try isNull(column) ? nil : try real(column)
  }

  public func optionalBlob(_ column: String) throws(StorageError) -> [UInt8]? {
    try isNull(column) ? nil : try blob(column)
  }

  public func optionalInstant(_ column: String) throws(StorageError) -> Date? {
    try isNull(column) ? nil : try instant(column)
  }

  public func isNull(_ column: String) throws(StorageError) -> Bool {
    try value(column) == .null
  }
}
