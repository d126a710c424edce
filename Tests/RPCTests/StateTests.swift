import RPC
import Testing

@testable import RPCTransport

@Suite("State machines, every state and every input")
struct StateTests {
  @Test("an exchange accepts each input only in its states")
  func exchange() {
    for local in ExchangeState.Side.allCases {
      for remote in ExchangeState.Side.allCases {
        for isClosed in [false, true] {
          for input in ExchangeState.Input.allCases {
            check(local, remote, isClosed, input)
          }
        }
      }
    }
  }

  private func check(
    _ local: ExchangeState.Side, _ remote: ExchangeState.Side, _ isClosed: Bool,
    _ input: ExchangeState.Input
  ) {
    var state = ExchangeState(local: local, remote: remote)
    state.isClosed = isClosed
    let before = state
    let verdict = state.apply(input)
    if isClosed {
      #expect(verdict == .ignore)
      #expect(state == before)
      return
    }
    let side: ExchangeState.Side? =
      switch input {
      case .localHead, .localBody, .localEnd: local
      case .remoteHead, .remoteBody, .remoteEnd: remote
      case .localReset, .closed: nil
      }
    switch (input, side) {
    case (.localHead, .awaitingHead): #expect(verdict == .proceed && state.local == .open)
    case (.remoteHead, .awaitingHead): #expect(verdict == .proceed && state.remote == .open)
    case (.localHead, _), (.remoteHead, _): #expect(verdict == .ignore && state == before)
    case (.localBody, .open), (.remoteBody, .open): #expect(verdict == .proceed && state == before)
    case (.localEnd, .open): #expect(verdict == .proceed && state.local == .ended)
    case (.remoteEnd, .open): #expect(verdict == .proceed && state.remote == .ended)
    case (_, .awaitingHead?): #expect(verdict == .violation && state == before)
    case (_, .ended?): #expect(verdict == .ignore && state == before)
    case (.localReset, _):
      #expect(verdict == .proceed && state.local == .ended && state.remote == .ended)
    case (.closed, _): #expect(verdict == .proceed && state.isClosed)
    default: Issue.record("\(input) in \(before) has no expectation")
    }
  }

  private typealias Row = (
    SubchannelState.Phase, SubchannelState.Input, SubchannelState.Phase, SubchannelState.Action
  )

  private static let table: [Row] =
    [
      (.idle, .wanted, .connecting, .connect),
      (.connecting, .connected, .ready, .none),
      (.connecting, .failed, .backoff, .wait),
      (.connecting, .lost, .backoff, .wait),
      (.connecting, .lostAtOnce, .backoff, .wait),
      (.ready, .lost, .connecting, .connect),
      (.ready, .lostAtOnce, .backoff, .wait),
      (.ready, .lostIdle, .resting, .rest),
      (.backoff, .waited, .connecting, .connect),
      (.resting, .wanted, .connecting, .connect),
      (.resting, .rested, .connecting, .connect),
    ]

  @Test("a subchannel connects, waits and stops according to its table")
  func subchannel() {
    let ways: [SubchannelState.Phase: [SubchannelState.Input]] = [
      .idle: [], .connecting: [.wanted], .ready: [.wanted, .connected],
      .backoff: [.wanted, .failed], .resting: [.wanted, .connected, .lostIdle],
      .stopped: [.stop],
    ]
    for phase in SubchannelState.Phase.allCases {
      for input in SubchannelState.Input.allCases {
        var state = SubchannelState()
        for step in ways[phase] ?? [] { _ = state.apply(step) }
        #expect(state.phase == phase)
        let action = state.apply(input)
        if let row = Self.table.first(where: { $0.0 == phase && $0.1 == input }) {
          #expect(state.phase == row.2 && action == row.3, "\(phase) \(input)")
        } else {
          let expected: SubchannelState.Phase =
            switch input {
            case .stop: .stopped
            case .released where phase != .stopped: .idle
            default: phase
            }
          #expect(state.phase == expected, "\(phase) \(input)")
          #expect(action == .none)
        }
      }
    }
  }

  @Test("calls wait for the first attempt and fail at once after a failed one")
  func pending() {
    var state = SubchannelState()
    #expect(!state.isPending)
    _ = state.apply(.wanted)
    #expect(state.isPending)
    _ = state.apply(.failed)
    _ = state.apply(.waited)
    #expect(state.phase == .connecting && !state.isPending)
    _ = state.apply(.connected)
    _ = state.apply(.lost)
    #expect(state.isPending)
    _ = state.apply(.connected)
    // A GOAWAY soon after the first call: not a failure, but a pause.
    _ = state.apply(.lostAtOnce)
    #expect(state.phase == .backoff && state.isPending)
    _ = state.apply(.waited)
    _ = state.apply(.failed)
    #expect(!state.isPending)
    // No call waits for a connection that rests: it makes it connect.
    _ = state.apply(.waited)
    _ = state.apply(.connected)
    _ = state.apply(.lostIdle)
    #expect(!state.isPending)
    _ = state.apply(.wanted)
    #expect(state.isPending)
  }

  @Test("backoff grows by 1.6 to 120 s, with a fifth of jitter")
  func backoff() {
    var backoff = Backoff(ConnectBackoff())
    #expect(backoff.next(random: 0.5) == .seconds(1))
    #expect(backoff.next(random: 0.5) == .milliseconds(1600))
    for _ in 0..<20 { _ = backoff.next(random: 0) }
    #expect(backoff.next(random: 0) == .seconds(96))
    backoff.reset()
    #expect(backoff.next(random: 0) == .milliseconds(800))
  }
}

@Suite("Framing")
struct FramingTests {
  private func prefix(_ count: Int, flag: UInt8 = 0) -> [UInt8] {
    [
      flag, UInt8(count >> 24), UInt8(count >> 16 & 255), UInt8(count >> 8 & 255),
      UInt8(count & 255),
    ]
  }

  @Test("messages are framed correctly, however the bytes are split")
  func cuts() throws {
    let bodies = ["", "a", "hello", String(repeating: "x", count: 300)]
    let wire = bodies.flatMap { prefix($0.utf8.count) + Array($0.utf8) }
    for size in 1...wire.count {
      var framer = MessageFramer(messageBytesMax: 1000)
      var found: [String] = []
      for start in stride(from: 0, to: wire.count, by: size) {
        framer.append(Array(wire[start..<min(start + size, wire.count)]).span.bytes)
        while case .message(let range) = framer.front() {
          let text: Text = try framer.decode(range)
          found.append(text.text)
          framer.take(range)
        }
      }
      #expect(found == bodies)
      #expect(framer.unreadBytes == 0)
    }
  }

  @Test("size and flags are checked at the prefix")
  func refused() {
    for (bytes, code) in [
      (prefix(1001), RPCError.Code.resourceExhausted),
      (prefix(1, flag: 2), .internalError), (prefix(0xffff_ffff), .resourceExhausted),
    ] {
      var framer = MessageFramer(messageBytesMax: 1000)
      framer.append(bytes.span.bytes)
      guard case .violation(let error) = framer.front() else {
        Issue.record("\(bytes) should be refused")
        continue
      }
      #expect(error.code == code)
    }
  }
}
