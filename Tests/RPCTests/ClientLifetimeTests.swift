import Testing

@testable import RPCTransport

@Suite("Keepalive and idleness of clients")
struct ClientLifetimeTests {
  private static let second: UInt64 = 1_000_000_000

  private static func facts(
    _ now: UInt64, heard: UInt64 = 0, busy: Bool = true, begun: UInt64 = 0
  ) -> ClientLifetime.Facts {
    ClientLifetime.Facts(
      now: now * second, lastRead: heard * second, isBusy: busy, callsBegun: begun)
  }

  @Test("a silent server is pinged after the interval and dropped after the timeout")
  func keepalive() {
    var state = ClientLifetime(
      keepalive: ClientKeepalive(interval: .seconds(30), timeout: .seconds(5)), idleMax: nil)
    #expect(state.due(Self.facts(0)) == (.none, 30 * Self.second))
    #expect(state.due(Self.facts(30)) == (.ping, 35 * Self.second))
    #expect(state.due(Self.facts(35)) == (.giveUp, nil))
  }

  @Test("any byte from the server counts as a response to the ping")
  func answered() {
    var state = ClientLifetime(
      keepalive: ClientKeepalive(interval: .seconds(30), timeout: .seconds(5)), idleMax: nil)
    #expect(state.due(Self.facts(30)) == (.ping, 35 * Self.second))
    #expect(state.due(Self.facts(35, heard: 31)) == (.none, 61 * Self.second))
    #expect(state.due(Self.facts(61, heard: 31)) == (.ping, 66 * Self.second))
  }

  @Test("the interval is at least ten seconds, and grows with the server's complaints")
  func interval() {
    let hasty = ClientKeepalive(interval: .seconds(1))
    var state = ClientLifetime(keepalive: hasty, idleMax: nil)
    #expect(state.due(Self.facts(0)) == (.none, 10 * Self.second))
    var slower = ClientLifetime(keepalive: hasty, scale: 4, idleMax: nil)
    #expect(slower.due(Self.facts(0)) == (.none, 40 * Self.second))
  }

  @Test("without calls there are no pings, unless they are permitted")
  func withoutCalls() {
    var keepalive = ClientKeepalive(interval: .seconds(30), timeout: .seconds(5))
    var state = ClientLifetime(keepalive: keepalive, idleMax: nil)
    #expect(state.due(Self.facts(30, busy: false)) == (.none, 60 * Self.second))
    keepalive.permitWithoutCalls = true
    var permitted = ClientLifetime(keepalive: keepalive, idleMax: nil)
    #expect(permitted.due(Self.facts(30, busy: false)) == (.ping, 35 * Self.second))
  }

  @Test("a connection is idle if no call ran or began between two checks")
  func idle() {
    var state = ClientLifetime(keepalive: nil, idleMax: .seconds(100))
    #expect(state.due(Self.facts(0, busy: false)) == (.none, 100 * Self.second))
    #expect(state.due(Self.facts(100, busy: false, begun: 1)) == (.none, 200 * Self.second))
    #expect(state.due(Self.facts(200, busy: true, begun: 1)) == (.none, 300 * Self.second))
    #expect(state.due(Self.facts(300, busy: false, begun: 1)) == (.none, 400 * Self.second))
    #expect(state.due(Self.facts(400, busy: false, begun: 1)) == (.idle, nil))
  }

  @Test("a server that sent GOAWAY is still pinged while calls run, and never considered idle")
  func draining() {
    var state = ClientLifetime(
      keepalive: ClientKeepalive(interval: .seconds(30), timeout: .seconds(5)),
      idleMax: .seconds(1))
    for (now, expected) in [(0, ClientLifetime.Action.none), (30, .ping), (35, .giveUp)] {
      var facts = Self.facts(UInt64(now))
      facts.isDraining = true
      #expect(state.due(facts).action == expected)
    }
  }

  @Test("nothing is monitored where nothing is configured")
  func nothing() {
    var state = ClientLifetime(keepalive: nil, idleMax: nil)
    #expect(state.due(Self.facts(1000)) == (.none, nil))
  }

  @Test("a name is resolved on demand, again when in doubt, and later after a failure")
  func names() {
    typealias Row = (NameState.Phase, NameState.Input, NameState.Phase, NameState.Action)
    let table: [Row] = [
      (.unknown, .wanted, .resolving, .resolve), (.resolving, .resolved, .resolved, .none),
      (.resolving, .failed, .failed, .wait), (.resolved, .doubted, .resolving, .resolve),
      (.failed, .waited, .resolving, .resolve),
    ]
    let ways: [NameState.Phase: [NameState.Input]] = [
      .fixed: [], .unknown: [], .resolving: [.wanted], .resolved: [.wanted, .resolved],
      .failed: [.wanted, .failed],
    ]
    for phase in NameState.Phase.allCases {
      for input in NameState.Input.allCases {
        var state = NameState(isAddress: phase == .fixed)
        for step in ways[phase] ?? [] { _ = state.apply(step) }
        #expect(state.phase == phase)
        let action = state.apply(input)
        let row = table.first { $0.0 == phase && $0.1 == input }
        #expect(state.phase == row?.2 ?? phase && action == row?.3 ?? .none, "\(phase) \(input)")
      }
    }
  }

  @Test("calls wait for the first resolution of a name, but not for one that follows a failure")
  func failedName() {
    var state = NameState(isAddress: false)
    #expect(!state.isPending)
    let steps: [(NameState.Input, Bool)] = [
      (.wanted, true), (.failed, false), (.waited, false), (.failed, false), (.waited, false),
      (.resolved, false), (.doubted, true),
    ]
    for (input, isPending) in steps {
      _ = state.apply(input)
      #expect(state.isPending == isPending, "\(input)")
    }
  }

  @Test("a channel's state is that of its best backend")
  func connectivity() {
    #expect(Connectivity([.transientFailure, .ready, .connecting]) == .ready)
    #expect(Connectivity([.transientFailure, .connecting, .idle]) == .connecting)
    #expect(Connectivity([.transientFailure, .idle]) == .idle)
    #expect(Connectivity([.transientFailure]) == .transientFailure)
    #expect(Connectivity([]) == .idle)
  }
}
