import Foundation
import Testing

@testable import Storage

@Suite("Instants")
struct InstantTests {
  @Test(
    "an instant made of microseconds is the same again, before 1970 too",
    arguments: [0, 1, -1, 1_795_190_400_000_001, 1_800_000_000_123_457, -2_208_988_799_999_999])
  func kept(microseconds: Int64) {
    let instant = Date(microseconds: microseconds)
    #expect(instant.microseconds == microseconds)
    #expect(instant.sqlValue == .integer(microseconds))
  }

  @Test("an instant between two microseconds is stored as the nearer one")
  func nearest() {
    #expect(Date(timeIntervalSince1970: 0.000_001_6).microseconds == 2)
    #expect(Date(timeIntervalSince1970: -0.000_001_6).microseconds == -2)
  }

  @Test("the text of an instant is read again, from year 1 to 9999, and is that of Foundation")
  func text() {
    // Before 1583 Foundation has the Julian calendar.
    let reform = -12_212_553_600
    for seconds in stride(from: -62_135_596_800, through: 253_402_300_799, by: 98_765_432) {
      let instant = Date(timeIntervalSince1970: Double(seconds))
      #expect(Date(rfc3339: instant.rfc3339) == instant)
      if seconds >= reform { #expect(instant.rfc3339 == instant.formatted(.iso8601)) }
    }
    #expect(Date(timeIntervalSince1970: -0.5).rfc3339 == "1969-12-31T23:59:59Z")
    #expect(Date(timeIntervalSince1970: 1.9).rfc3339 == "1970-01-01T00:00:01Z")
  }

  @Test(
    "only the text of an instant is read as one",
    arguments: [
      "", "2026-11-21", "2026-11-21T06:46:51", "2026-11-21 06:46:51Z", "2026-11-21T06:46:51z",
      "2026-11-21T24:00:00Z", "2026-11-21T06:60:00Z", "2026-11-21T06:46:60Z",
      "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "0000-01-01T00:00:00Z",
      "2026-11-21T06:46:51+08:00", "2026-11-21T06:46:51.5Z", "2026-11-21T+6:46:51Z",
      "2026-11-21T06:46:-1Z", "２026-11-21T06:46:1Z",
    ])
  func wrongText(_ text: String) {
    #expect(Date(rfc3339: text) == nil)
  }

  @Test("a month begins and ends at midnight in UTC, also before 1970")
  func months() {
    for (text, suffix) in [
      ("2026-11-30T23:59:59Z", "2026_11"), ("2026-12-01T00:00:00Z", "2026_12"),
      ("1969-12-31T23:59:59Z", "1969_12"), ("2024-02-29T12:00:00Z", "2024_02"),
    ] {
      let month = Date(rfc3339: text).map { CalendarMonth(of: $0) }
      #expect(month?.suffix == suffix)
      #expect(month?.start == Date(rfc3339: text.prefix(8) + "01T00:00:00Z")?.microseconds)
    }
    #expect(CalendarMonth(of: Date(timeIntervalSince1970: -0.000_001)).suffix == "1969_12")
  }
}
