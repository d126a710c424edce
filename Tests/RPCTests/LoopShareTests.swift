import Testing

@testable import RPCTransport

/// When a connection counts as busy, by numbers alone.
@Suite("A connection's share of its loop")
struct LoopShareTests {
  private static let turn: UInt64 = 250_000

  @Test("a new connection is busy from its first turn until it has been silent for a while")
  func new() {
    var share = LoopShare()
    #expect(!share.isBusy)
    share.turned(nanoseconds: 30_000, now: 1_000_000)
    #expect(share.isBusy)
    share.turned(nanoseconds: 30_000, now: 2_000_000)
    #expect(!share.isBusy)
  }

  @Test(
    "a connection is busy for as long as it uses more than a tenth of the time"
  )
  func steady() {
    var (modest, greedy) = (LoopShare(), LoopShare())
    for round in UInt64(1)...1000 {
      modest.turned(nanoseconds: 90_000, now: round * 1_000_000)
      greedy.turned(nanoseconds: 110_000, now: round * 1_000_000)
    }
    #expect(!modest.isBusy)
    #expect(greedy.isBusy)
  }

  @Test("credit and debt are bounded: ten milliseconds make up for either")
  func bounds() {
    var share = LoopShare()
    share.turned(nanoseconds: 1_000, now: 1)
    share.turned(nanoseconds: 0, now: 3_600_000_000_000)
    for turn in UInt64(1)...5 {
      share.turned(nanoseconds: Self.turn, now: 3_600_000_000_000 + turn * Self.turn)
    }
    #expect(share.isBusy, "an hour of quiet saves four turns, not an hour")
    share.turned(nanoseconds: .max, now: 3_600_010_000_000)
    share.turned(nanoseconds: 1_000, now: 3_600_021_000_000)
    #expect(!share.isBusy)
    #expect(share.turn == 1_000)
    share.turned(nanoseconds: .max, now: .max)
    share.turned(nanoseconds: .max, now: 0)
    #expect(share.turn == LoopShare.roundMax)
  }
}
