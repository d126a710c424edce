import MembersV1
import ServiceKit
import Testing

@testable import MembersCore

@Suite("Away reports and refresh records")
struct AwayProgressTests {
  private static let ways: [AwayState: [AwayProgress.Input: AwayState]] = [
    .reported: [.file: .filed, .sendBack: .returnedForFix, .end: .ended],
    .returnedForFix: [.fix: .reported, .end: .ended],
    .filed: [.depart: .away, .check: .filed, .end: .ended],
    .away: [.comeBack: .returned, .check: .away, .end: .ended],
    .returned: [.check: .returned],
  ]

  @Test("a report has the transitions of the table and no others")
  func away() throws {
    for state in AwayState.allCases {
      for input in AwayProgress.Input.allCases {
        var progress = AwayProgress(state)
        if let next = Self.ways[state]?[input] {
          try progress.apply(input)
          #expect(progress.state == next, "\(state) \(input)")
        } else {
          #expect(throws: MembersError.awayState) { try progress.apply(input) }
          #expect(progress.state == state)
        }
      }
    }
  }

  @Test("a report that ended is what it was if the merge is undone, and stays ended otherwise")
  func awayRestored() throws {
    for former in AwayState.allCases {
      var progress = AwayProgress(.ended, former: former)
      if [.reported, .returnedForFix, .filed, .away].contains(former) {
        try progress.apply(.restore)
        #expect(progress.state == former)
      } else {
        #expect(throws: MembersError.awayState) { try progress.apply(.restore) }
        #expect(progress.state == .ended)
      }
    }
  }

  private static let records: [RefreshState: [RefreshProgress.Input: RefreshState]] = [
    .stale: [.confirm: .confirmed, .notReached: .unreachable, .end: .ended],
    .unreachable: [.confirm: .confirmed, .notReached: .unreachable, .end: .ended],
    .ended: [.confirm: .confirmed, .restore: .stale],
  ]

  @Test("a record has the transitions of the table and no others")
  func refresh() throws {
    for state in RefreshState.allCases {
      for input in RefreshProgress.Input.allCases {
        var progress = RefreshProgress(state)
        if let next = Self.records[state]?[input] {
          try progress.apply(input)
          #expect(progress.state == next, "\(state) \(input)")
        } else {
          #expect(throws: MembersError.refreshState) { try progress.apply(input) }
          #expect(progress.state == state)
        }
      }
    }
  }

  @Test(
    "three months earlier is the month's last day where the day does not exist",
    arguments: [
      ((2026, 11, 21), (2026, 8, 21)), ((2026, 5, 31), (2026, 2, 28)),
      ((2024, 5, 30), (2024, 2, 29)), ((2026, 1, 15), (2025, 10, 15)),
      ((2026, 3, 31), (2025, 12, 31)),
    ])
  func months(day: (Int, Int, Int), first: (Int, Int, Int)) throws {
    let date = try #require(ChinaDate(year: day.0, month: day.1, day: day.2))
    let fresh = try #require(ChinaDate(year: first.0, month: first.1, day: first.2))
    #expect(Freshness.firstFreshDay(on: date.daysSinceEpoch) == fresh.daysSinceEpoch)
  }

  @Test("a seed samples the same reports, whatever their order")
  func draw() {
    let ids = (0..<50).map { hexID($0) }
    let drawn = { (seed: String, count: Int, ids: [String]) in
      var sample = AwaySample(seed: seed, count: count)
      for id in ids { sample.add(id) }
      return sample.drawn
    }
    let first = drawn("2026-11", 10, ids)
    #expect(Set(first).count == 10)
    #expect(drawn("2026-11", 10, ids.reversed()) == first)
    #expect(drawn("another", 10, ids) != first)
    #expect(drawn("2026-11", 99, ids).count == 50)
  }
}
