public import Foundation

/// A value of a row or an argument of a statement, of one of the five kinds that both engines
/// support.
public enum SQLValue: Sendable, Hashable {
  /// NULL.
  case null
  /// A signed 64-bit integer; Booleans and instants are stored as such.
  case integer(Int64)
  /// A 64-bit floating-point number.
  case real(Double)
  /// UTF-8 text.
  case text(String)
  /// Bytes.
  case blob([UInt8])
}

/// A type whose values can be arguments of queries and statements.
///
/// Instants (`Date`) are stored as whole microseconds since 1970 (UTC), Booleans as 0 and 1, `nil`
/// as NULL.
public protocol SQLValueConvertible: Sendable {
  /// The value as stored.
  var sqlValue: SQLValue { get }
}

extension SQLValue: SQLValueConvertible {
  public var sqlValue: SQLValue { self }
}

extension Int64: SQLValueConvertible {
  public var sqlValue: SQLValue { .integer(self) }
}

extension Int32: SQLValueConvertible {
  public var sqlValue: SQLValue { .integer(Int64(self)) }
}

extension UInt32: SQLValueConvertible {
  public var sqlValue: SQLValue { .integer(Int64(self)) }
}

extension Int: SQLValueConvertible {
  public var sqlValue: SQLValue { .integer(Int64(self)) }
}

extension Bool: SQLValueConvertible {
  public var sqlValue: SQLValue { .integer(self ? 1 : 0) }
}

extension Double: SQLValueConvertible {
  public var sqlValue: SQLValue { .real(self) }
}

extension String: SQLValueConvertible {
  public var sqlValue: SQLValue { .text(self) }
}

extension [UInt8]: SQLValueConvertible {
  public var sqlValue: SQLValue { .blob(self) }
}

extension Date: SQLValueConvertible {
  public var sqlValue: SQLValue { .integer(microseconds) }
}

extension Optional: SQLValueConvertible where Wrapped: SQLValueConvertible {
  public var sqlValue: SQLValue { self?.sqlValue ?? .null }
}

extension Date {
  /// The instant as stored: whole microseconds since 1970 (UTC), rounded to the nearest, so that an
  /// instant that was created from microseconds is the same again.
  public var microseconds: Int64 { Int64((timeIntervalSince1970 * 1_000_000).rounded()) }

  /// Creates an instant from its stored form.
  public init(microseconds: Int64) {
    self.init(timeIntervalSince1970: Double(microseconds) / 1_000_000)
  }
}
