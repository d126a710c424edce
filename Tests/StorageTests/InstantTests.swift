import Foundation
import Storage
import Testing

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
}
