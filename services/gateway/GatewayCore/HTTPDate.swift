import RPC
import ServiceKit
import Synchronization

/// The `date` of the responses that the gateway makes as an HTTP server: JSON, gRPC-Web and pages.
/// gRPC's own clients read none. Caches the last second's text.
///
/// Safe to use from any task. Source: RFC 9110, sections 5.6.7 and 6.6.1.
final class HTTPDate: Sendable {
  static let system = HTTPDate(.system)

  private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]
  /// 1970-01-01 was a Thursday.
  private static let firstWeekday: Int64 = 4

  private let clock: Clock
  private let known = Mutex((second: Int64.min, text: ""))

  init(_ clock: Clock) { self.clock = clock }

  /// The current time, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
  var now: String {
    let second = clock.microseconds / 1_000_000
    return known.withLock { known in
      if known.second != second { known = (second, Self.text(of: second)) }
      return known.text
    }
  }

  /// Returns the text of a time from 1970 on, in seconds since then.
  static func text(of second: Int64) -> String {
    let (day, time) = max(0, second).quotientAndRemainder(dividingBy: 86_400)
    // The day is one of UTC; the calendar is the same.
    let date = ChinaDate(daysSinceEpoch: Int(day))
    let weekday = weekdays[Int((day + firstWeekday) % 7)]
    return "\(weekday), \(padded(Int64(date.day))) \(months[date.month - 1]) \(date.year) "
      + "\(padded(time / 3_600)):\(padded(time / 60 % 60)):\(padded(time % 60)) GMT"
  }

  private static func padded(_ number: Int64) -> String {
    number < 10 ? "0\(number)" : "\(number)"
  }
}

extension HeaderList {
  /// Adds the current time as `date`, unless the list has one, such as that of a service.
  mutating func addDate() {
    if firstIndex(of: "date") == nil { add("date", HTTPDate.system.now) }
  }
}
