public import Foundation

/// A day of the Gregorian calendar.
///
/// Foundation's calendars and ISO 8601 styles know the same, but load tables of time zones and of
/// ICU: memory of every service.
public struct CivilDate: Sendable, Hashable, Comparable {
  /// The year, 1 to 9999 unless the date was made from a day outside of them.
  public let year: Int
  /// The month, 1 to 12.
  public let month: Int
  /// The day of the month, from 1.
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

  /// The date in UTC at an instant.
  init(of instant: Date) {
    let seconds = instant.timeIntervalSince1970.rounded(.down)
    self.init(daysSinceEpoch: Int((seconds / 86_400).rounded(.down)))
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

  public static func < (a: CivilDate, b: CivilDate) -> Bool {
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

extension CivilDate: CustomStringConvertible {
  /// ISO 8601, for example `2026-11-21`.
  public var description: String { "\(padded(year, to: 4))-\(padded(month))-\(padded(day))" }
}

extension Date {
  /// The instant's second in UTC as RFC 3339 writes it, such as `2026-11-21T06:46:51Z`.
  public var rfc3339: String {
    let date = CivilDate(of: self)
    let second = Int(timeIntervalSince1970.rounded(.down)) - date.daysSinceEpoch * 86_400
    return "\(date)T\(padded(second / 3_600)):\(padded(second / 60 % 60))"
      + ":\(padded(second % 60))Z"
  }

  /// Parses what ``rfc3339`` writes, and nothing else.
  init?(rfc3339 text: some StringProtocol) {
    let bytes = Array(text.utf8)
    let numbers = [0..<4, 5..<7, 8..<10, 11..<13, 14..<16, 17..<19].compactMap { range in
      bytes.count == 20 ? Int(String(decoding: bytes[range], as: UTF8.self)) : nil
    }
    guard numbers.count == 6,
      let date = CivilDate(year: numbers[0], month: numbers[1], day: numbers[2])
    else { return nil }
    let seconds = (date.daysSinceEpoch * 24 + numbers[3]) * 3_600 + numbers[4] * 60 + numbers[5]
    self.init(timeIntervalSince1970: Double(seconds))
    // Whatever is no such time, as the 25th hour or a sign, is written otherwise.
    guard rfc3339.utf8.elementsEqual(bytes) else { return nil }
  }
}

private func padded(_ number: Int, to width: Int = 2) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}
