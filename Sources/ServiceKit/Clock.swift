public import Foundation
public import GoogleProtobuf
import Storage

/// Where the time comes from: the system's clock, or a test's.
public struct Clock: Sendable {
  private let read: @Sendable () -> Date

  /// - Parameter read: Returns the current instant; called from any thread.
  public init(_ read: @escaping @Sendable () -> Date) { self.read = read }

  /// The system's clock.
  public static let system = Clock { Date() }

  /// The instant, UTC.
  public var now: Date { read() }

  /// Microseconds since 1970-01-01T00:00:00Z: how instants are stored.
  public var microseconds: Int64 { now.microseconds }
}

extension Timestamp {
  /// The instant `microseconds` after 1970-01-01T00:00:00Z.
  public init(microseconds: Int64) {
    self.init()
    let (seconds, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
    self.seconds = rest < 0 ? seconds - 1 : seconds
    nanos = Int32((rest < 0 ? rest + 1_000_000 : rest) * 1_000)
  }

  /// The last instant of the year 9999, in microseconds since 1970.
  public static let microsecondsMax: Int64 = 253_402_300_799_999_999

  /// Microseconds since 1970; nil outside year 1 to 9999 or with nanos out of range, which
  /// `google.protobuf.Timestamp` does not allow.
  public var microseconds: Int64? {
    guard (-62_135_596_800...253_402_300_799).contains(seconds), (0...999_999_999).contains(nanos)
    else { return nil }
    return seconds * 1_000_000 + Int64(nanos) / 1_000
  }
}

/// A civil date in China (UTC+8, no daylight saving since 1991).
public struct ChinaDate: Sendable, Hashable, Comparable {
  private let date: CivilDate

  /// The year, 1 to 9999.
  public var year: Int { date.year }
  /// The month, 1 to 12.
  public var month: Int { date.month }
  /// The day of the month, from 1.
  public var day: Int { date.day }

  /// nil where the calendar has no such day, or outside the years 1 to 9999.
  public init?(year: Int, month: Int, day: Int) {
    guard let date = CivilDate(year: year, month: month, day: day) else { return nil }
    self.date = date
  }

  /// The date in China at an instant.
  public init(microseconds: Int64) {
    self.init(
      daysSinceEpoch: Int((microseconds + 8 * 3_600_000_000).dividedDown(by: 86_400_000_000)))
  }

  /// The date `days` after 1970-01-01.
  public init(daysSinceEpoch days: Int) { date = CivilDate(daysSinceEpoch: days) }

  /// Days since 1970-01-01.
  public var daysSinceEpoch: Int { date.daysSinceEpoch }

  /// Midnight in China at which the day begins, in microseconds since 1970.
  public var startMicroseconds: Int64 {
    Int64(daysSinceEpoch) * 86_400_000_000 - 8 * 3_600_000_000
  }

  public static func < (a: ChinaDate, b: ChinaDate) -> Bool { a.date < b.date }
}

extension ChinaDate: CustomStringConvertible {
  /// ISO 8601, for example `2026-11-21`.
  public var description: String { date.description }
}

extension Int64 {
  fileprivate func dividedDown(by divisor: Int64) -> Int64 {
    let (quotient, rest) = quotientAndRemainder(dividingBy: divisor)
    return rest < 0 ? quotient - 1 : quotient
  }
}
