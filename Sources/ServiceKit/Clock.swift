public import Foundation
public import GoogleProtobuf
import Storage

/// Where the time comes from: the system's clock, or a test's.
public struct Clock: Sendable {
  private let read: @Sendable () -> Date

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
  /// The year, the month from 1 and the day of the month from 1.
  public let year: Int
  public let month: Int
  public let day: Int

  /// nil where the calendar has no such day, or outside the years 1 to 9999.
  public init?(year: Int, month: Int, day: Int) {
    guard (1...9999).contains(year), (1...12).contains(month), day >= 1,
      day <= Self.days(of: month, in: year)
    else { return nil }
    self.year = year
    self.month = month
    self.day = day
  }

  /// The date in China at an instant.
  public init(microseconds: Int64) {
    self.init(
      daysSinceEpoch: Int((microseconds + 8 * 3_600_000_000).dividedDown(by: 86_400_000_000)))
  }

  /// The date `days` after 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date
  /// algorithms").
  public init(daysSinceEpoch days: Int) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// Days since 1970-01-01.
  public var daysSinceEpoch: Int {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  /// Midnight in China at which the day begins, in microseconds since 1970.
  public var startMicroseconds: Int64 {
    Int64(daysSinceEpoch) * 86_400_000_000 - 8 * 3_600_000_000
  }

  public static func < (a: ChinaDate, b: ChinaDate) -> Bool {
    (a.year, a.month, a.day) < (b.year, b.month, b.day)
  }

  private static func days(of month: Int, in year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}

extension ChinaDate: CustomStringConvertible {
  /// ISO 8601, for example `2026-11-21`.
  public var description: String {
    let pad = { (value: Int, width: Int) in
      String(repeating: "0", count: max(0, width - String(value).count)) + String(value)
    }
    return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))"
  }
}

extension Int64 {
  fileprivate func dividedDown(by divisor: Int64) -> Int64 {
    let (quotient, rest) = quotientAndRemainder(dividingBy: divisor)
    return rest < 0 ? quotient - 1 : quotient
  }
}
