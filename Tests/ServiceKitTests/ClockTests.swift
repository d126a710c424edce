import Foundation
import GoogleProtobuf
import ServiceKit
import Testing

@Suite("Dates and instants")
struct ClockTests {
  @Test("a day in China begins at 16:00 UTC of the day before")
  func dayBoundary() throws {
    let midnight = try #require(ChinaDate(year: 2026, month: 11, day: 21)).startMicroseconds
    #expect(midnight == 1_795_190_400_000_000)
    #expect("\(ChinaDate(microseconds: midnight))" == "2026-11-21")
    #expect("\(ChinaDate(microseconds: midnight - 1))" == "2026-11-20")
  }

  @Test("every day from 1600 to 2400 follows its predecessor, as in Foundation's calendar")
  func calendar() throws {
    var gregorian = Calendar(identifier: .gregorian)
    gregorian.timeZone = try #require(TimeZone(secondsFromGMT: 0))
    let first = try #require(ChinaDate(year: 1600, month: 1, day: 1)).daysSinceEpoch
    let last = try #require(ChinaDate(year: 2400, month: 12, day: 31)).daysSinceEpoch
    for days in stride(from: first, through: last, by: 13) {
      let date = ChinaDate(daysSinceEpoch: days)
      let parts = gregorian.dateComponents(
        [.year, .month, .day], from: Date(timeIntervalSince1970: Double(days) * 86_400))
      #expect(date.daysSinceEpoch == days)
      #expect([date.year, date.month, date.day] == [parts.year, parts.month, parts.day])
    }
  }

  @Test(
    "invalid dates are refused",
    arguments: [
      (2025, 2, 29), (1900, 2, 29), (2026, 13, 1), (2026, 4, 31), (0, 1, 1), (2026, 1, 0),
    ])
  func impossible(year: Int, month: Int, day: Int) {
    #expect(ChinaDate(year: year, month: month, day: day) == nil)
  }

  @Test(
    "an instant survives the conversion to google.protobuf.Timestamp, also before 1970",
    arguments: [0, 1, -1, -1_000_001, 1_795_190_400_000_001, -62_135_596_800_000_000])
  func timestamps(microseconds: Int64) {
    let timestamp = Timestamp(microseconds: microseconds)
    #expect(timestamp.microseconds == microseconds)
    #expect((0...999_999_999).contains(timestamp.nanos))
  }

  @Test("a timestamp out of the type's range has no instant")
  func hostileTimestamps() {
    for (seconds, nanos) in [
      (Int64.max, Int32(0)), (Int64.min, 0), (0, -1), (0, 1_000_000_000), (253_402_300_800, 0),
    ] {
      var timestamp = Timestamp()
      timestamp.seconds = seconds
      timestamp.nanos = nanos
      #expect(timestamp.microseconds == nil)
    }
  }
}
