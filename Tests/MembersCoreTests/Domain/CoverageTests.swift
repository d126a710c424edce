import Testing

@testable import MembersCore

@Suite("Coverage")
struct CoverageTests {
  @Test(
    "people needed are rounded up, the share is rounded down",
    arguments: [
      // Baiyin: 40,000 drivers, 32,307 enrolled, 95 %.
      (32_307, 40_000, 9_500, 8_076, 5_693),
      (38_000, 40_000, 9_500, 9_500, 0), (37_999, 40_000, 9_500, 9_499, 1),
      (0, 3, 5_000, 0, 2), (1, 3, 3_333, 3_333, 0), (1, 3, 3_334, 3_333, 1),
      (5, 4, 10_000, 12_500, 0), (0, 2_000_000_000, 10_000, 0, 2_000_000_000),
    ] as [(Int64, Int64, Int64, Int32, Int64)])
  func rounding(members: Int64, base: Int64, target: Int64, share: Int32, needed: Int64) {
    let coverage = Coverage(members: members, base: base, target: target)
    #expect(coverage.basisPoints == share)
    #expect(coverage.peopleNeeded == needed)
  }

  @Test("without a base there is no share, without a target nobody is missing")
  func nothingToCompare() {
    #expect(Coverage(members: 5, base: nil, target: 9_500).basisPoints == 0)
    #expect(Coverage(members: 5, base: nil, target: 9_500).peopleNeeded == 0)
    #expect(Coverage(members: 5, base: 10, target: nil).peopleNeeded == 0)
    #expect(Coverage(members: 5, base: 10, target: nil).basisPoints == 5_000)
  }
}
