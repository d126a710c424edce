/// Reads and writes timestamps and durations in their JSON form.
/// Source: google/protobuf/timestamp.proto and duration.proto; RFC 3339.
enum TimeText {
  /// The range of a timestamp: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
  private static let timestampSeconds: ClosedRange<Int64> = -62_135_596_800...253_402_300_799
  /// The limit of a duration: 10,000 years of 365.25 days.
  private static let durationSecondsMax: Int64 = 315_576_000_000
  private static let nanosMax: Int32 = 999_999_999
  private static let secondsPerDay: Int64 = 86_400

  // MARK: - Writing

  /// Returns the text of a timestamp, or nil if it is out of range.
  static func timestamp(seconds: Int64, nanos: Int32) -> String? {
    guard timestampSeconds.contains(seconds), 0...nanosMax ~= nanos else { return nil }
    let day = (seconds - timestampSeconds.lowerBound) / secondsPerDay
    let rest = (seconds - timestampSeconds.lowerBound) % secondsPerDay
    let date = civil(day + timestampSeconds.lowerBound / secondsPerDay)
    return padded(date.year, 4) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2) + "T"
      + padded(rest / 3600, 2) + ":" + padded(rest / 60 % 60, 2) + ":" + padded(rest % 60, 2)
      + fraction(nanos) + "Z"
  }

  /// Returns the text of a duration, or nil if it is out of range or its parts differ in sign.
  static func duration(seconds: Int64, nanos: Int32) -> String? {
    guard -durationSecondsMax...durationSecondsMax ~= seconds, -nanosMax...nanosMax ~= nanos,
      seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0)
    else { return nil }
    let sign = seconds < 0 || nanos < 0 ? "-" : ""
    return "\(sign)\(seconds.magnitude)\(fraction(Int32(nanos.magnitude)))s"
  }

  /// Returns no digits, or a point and three, six or nine of them.
  private static func fraction(_ nanos: Int32) -> String {
    if nanos == 0 { return "" }
    if nanos % 1_000_000 == 0 { return "." + padded(Int64(nanos / 1_000_000), 3) }
    if nanos % 1000 == 0 { return "." + padded(Int64(nanos / 1000), 6) }
    return "." + padded(Int64(nanos), 9)
  }

  private static func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  // MARK: - Reading

  /// Parses a timestamp; nil if the text is not one of RFC 3339 within the range.
  static func timestamp(_ text: String) -> (seconds: Int64, nanos: Int32)? {
    var scan = Scan(text)
    guard let year = scan.digits(4), scan.take("-"), let month = scan.digits(2), scan.take("-"),
      let day = scan.digits(2), scan.take("T"), let hour = scan.digits(2), scan.take(":"),
      let minute = scan.digits(2), scan.take(":"), let second = scan.digits(2),
      let nanos = scan.fraction(), let offset = scan.offset(), scan.isAtEnd,
      1...12 ~= month, 1...length(month: month, of: year) ~= day, hour < 24, minute < 60,
      second < 60
    else { return nil }
    let seconds =
      days(year, month, day) * secondsPerDay + hour * 3600 + minute * 60 + second - offset
    return timestampSeconds.contains(seconds) ? (seconds, nanos) : nil
  }

  /// Parses a duration; nil if the text is none within the range.
  static func duration(_ text: String) -> (seconds: Int64, nanos: Int32)? {
    var scan = Scan(text)
    let isNegative = scan.take("-")
    guard let seconds = scan.number(), let nanos = scan.fraction(), scan.take("s"), scan.isAtEnd,
      seconds <= durationSecondsMax
    else { return nil }
    return isNegative ? (-seconds, -nanos) : (seconds, nanos)
  }

  /// Reads a text from start to end.
  private struct Scan {
    private var rest: Substring.UTF8View

    init(_ text: String) { rest = text[...].utf8 }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
      guard rest.first == UInt8(ascii: character) else { return false }
      rest.removeFirst()
      return true
    }

    mutating func digit() -> Int64? {
      guard let byte = rest.first, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { return nil }
      rest.removeFirst()
      return Int64(byte - UInt8(ascii: "0"))
    }

    mutating func digits(_ count: Int) -> Int64? {
      var value: Int64 = 0
      for _ in 0..<count {
        guard let digit = digit() else { return nil }
        value = value * 10 + digit
      }
      return value
    }

    /// Reads one to twelve digits, which is enough for the whole range.
    mutating func number() -> Int64? {
      guard var value = digit() else { return nil }
      for _ in 1..<13 {
        guard let digit = digit() else { return value }
        value = value * 10 + digit
      }
      return nil
    }

    /// Reads an optional fraction of one to nine digits, as nanoseconds.
    mutating func fraction() -> Int32? {
      guard take(".") else { return 0 }
      guard var value = digit() else { return nil }
      var count = 1
      while count < 9, let digit = digit() {
        value = value * 10 + digit
        count += 1
      }
      while count < 9 {
        value *= 10
        count += 1
      }
      return Int32(value)
    }

    /// Reads `Z`, or hours and minutes from UTC, as seconds.
    mutating func offset() -> Int64? {
      if take("Z") { return 0 }
      let isWest = take("-")
      guard isWest || take("+"), let hours = digits(2), take(":"), let minutes = digits(2),
        hours < 24, minutes < 60
      else { return nil }
      let seconds = hours * 3600 + minutes * 60
      return isWest ? -seconds : seconds
    }
  }

  // MARK: - The proleptic Gregorian calendar

  private static func length(month: Int64, of year: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Returns the days since 1970-01-01. The year begins in March here, so that a leap day is its
  /// last.
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = year - (month <= 2 ? 1 : 0)
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
  }

  private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    // All days of the range are positive after the shift.
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let month = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * month + 2) / 5 + 1
    let civilMonth = month < 10 ? month + 3 : month - 9
    return (yearOfEra + era * 400 + (civilMonth <= 2 ? 1 : 0), civilMonth, day)
  }
}

/// Converts the paths of a field mask, which JSON writes in camel case.
enum FieldMaskText {
  /// Returns a path in camel case, or nil if it could not be converted back to the same.
  static func camelCase(_ path: String) -> String? {
    var result = ""
    var isUpper = false
    for scalar in path.unicodeScalars {
      if scalar.properties.isUppercase { return nil }
      if isUpper {
        guard "a"..."z" ~= scalar else { return nil }
        result += String(scalar).uppercased()
        isUpper = false
      } else if scalar == "_" {
        isUpper = true
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return isUpper ? nil : result
  }

  /// Returns a path in snake case, or nil if it has an underscore.
  static func snakeCase(_ path: Substring) -> String? {
    var result = ""
    for scalar in path.unicodeScalars {
      if scalar == "_" { return nil }
      if "A"..."Z" ~= scalar {
        result += "_" + String(scalar).lowercased()
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
