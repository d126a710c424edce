import RPC
import Testing

@testable import RPCTransport

@Suite("Balancing")
struct BalancerTests {
  private typealias Facts = Balancer.Facts

  /// Distributes calls and counts them per lane; none of them ends if `grows` is set.
  private func shares(
    _ policy: LoadBalancing, _ lanes: [Balancer.Facts], calls: Int, grows: Bool = false
  ) -> [Int] {
    var balancer = Balancer()
    var random = QuickRandom(seed: 7)
    var lanes = lanes
    var shares = lanes.map { _ in 0 }
    for _ in 0..<calls {
      let choice = balancer.pick(policy, of: lanes.count, random: &random) { lanes[$0] }
      shares[choice.index] += 1
      if grows { lanes[choice.index].active += 1 }
    }
    return shares
  }

  @Test("round robin takes turns, whatever the loads")
  func roundRobin() {
    let lanes = [Facts(active: 9), Facts(), Facts(active: 3)]
    #expect(shares(.roundRobin, lanes, calls: 30) == [10, 10, 10])
  }

  @Test("a lane without a free stream is skipped, until all are full")
  func full() {
    for policy in [LoadBalancing.roundRobin, .leastRequest(choices: 2)] {
      #expect(shares(policy, [Facts(isFull: true), Facts()], calls: 8) == [0, 8])
      var balancer = Balancer()
      var random = QuickRandom(seed: 1)
      let choice = balancer.pick(policy, of: 3, random: &random) { _ in Facts(isFull: true) }
      #expect(choice.isFull)
      let lone = balancer.pick(policy, of: 5, random: &random) { Facts(isFull: $0 != 3) }
      #expect(lone == Balancer.Choice(index: 3, isFull: false))
    }
  }

  @Test("least request takes the less loaded of two")
  func leastRequest() {
    let policy = LoadBalancing.leastRequest(choices: 2)
    #expect(shares(policy, [Facts(active: 5), Facts()], calls: 6) == [0, 6])
    #expect(shares(policy, [Facts(active: 10), Facts()], calls: 30, grows: true) == [10, 20])
    #expect(shares(policy, [Facts()], calls: 3) == [3])
  }

  @Test("least request balances many lanes with two random choices")
  func powerOfTwo() {
    let shares = shares(
      .leastRequest(choices: 2), Array(repeating: Facts(), count: 8), calls: 8_000, grows: true)
    #expect(shares.allSatisfy { (980...1_020).contains($0) }, "\(shares)")
  }

  @Test("a lane in slow start gets its share, with either policy")
  func slowStart() {
    let lanes = [Facts(weight: 0.25), Facts()]
    let turns = shares(.roundRobin, lanes, calls: 4_000)
    #expect((740...860).contains(turns[0]), "\(turns)")
    let least = shares(.leastRequest(choices: 2), lanes, calls: 4_000, grows: true)
    #expect((780...820).contains(least[0]), "\(least)")
    #expect(shares(.roundRobin, [Facts(weight: 0.1)], calls: 3) == [3], "alone it gets all")
  }

  @Test("a share grows linearly from its minimum to the whole")
  func weights() {
    let slowStart = SlowStart(window: .seconds(10))
    for (age, weight) in [(0, 0.1), (1, 0.1), (5, 0.5), (10, 1), (100, 1)] {
      #expect(slowStart.weight(age: .seconds(age)) == weight)
    }
  }
}

@Suite("Ejection")
struct EjectionTests {
  private static let start = ContinuousClock.now

  private static func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

  private static let settings = OutlierDetection()

  /// An endpoint in each phase: never ejected, ejected until 30, readmitted at 30.
  private static var phases: [(name: String, state: Ejection)] {
    let fresh = Ejection()
    var ejected = fresh
    _ = ejected.apply(.outlier(mayEject: true), at: at(0), settings)
    var again = ejected
    _ = again.apply(.look, at: at(30), settings)
    return [("fresh", fresh), ("ejected", ejected), ("admitted again", again)]
  }

  @Test("every phase × every input has the result of the table")
  func table() {
    let inputs: [(Ejection.Input, [Ejection.Action])] = [
      (
        .outlier(mayEject: true),
        [.eject(until: Self.at(61)), .none, .eject(until: Self.at(91))]
      ),
      (.outlier(mayEject: false), [.none, .none, .none]),
      (.look, [.none, .admit, .none]),
    ]
    for (input, actions) in inputs {
      for (phase, action) in zip(Self.phases, actions) {
        var state = phase.state
        #expect(
          state.apply(input, at: Self.at(31), Self.settings) == action, "\(phase.name), \(input)")
        switch action {
        case .none: #expect(state == phase.state)
        case .eject: #expect(state.isEjected)
        case .admit: #expect(!state.isEjected)
        }
      }
    }
  }

  @Test("an ejected backend stays out until its time is over")
  func time() {
    var state = Self.phases[1].state
    #expect(state.apply(.look, at: Self.at(29), Self.settings) == .none)
    #expect(state.isEjected)
    #expect(state.apply(.look, at: Self.at(30), Self.settings) == .admit)
  }

  @Test("each ejection is longer, up to the maximum; healthy intervals shorten the next")
  func growth() {
    var state = Ejection()
    var now = 0
    var lengths: [Int] = []
    for _ in 0..<12 {
      guard
        case .eject(let until) = state.apply(
          .outlier(mayEject: true), at: Self.at(now), Self.settings)
      else { return #expect(Bool(false), "not ejected") }
      let length = Int(Self.at(now).duration(to: until) / .seconds(1))
      lengths.append(length)
      now += length
      _ = state.apply(.look, at: Self.at(now), Self.settings)
    }
    #expect(lengths == [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300])
    // Nine intervals of ten seconds.
    guard
      case .eject(let until) = state.apply(
        .outlier(mayEject: true), at: Self.at(now + 95), Self.settings)
    else { return #expect(Bool(false), "not ejected") }
    #expect(Self.at(now + 95).duration(to: until) == .seconds(120))
  }

  @Test("the ejected share is limited, but one backend always may be; too few left is a panic")
  func limits() {
    var settings = OutlierDetection()
    settings.maxEjectionPercent = 10
    #expect(settings.mayEject(ejected: 0, of: 2))
    #expect(!settings.mayEject(ejected: 1, of: 10))
    settings.maxEjectionPercent = 50
    #expect(settings.mayEject(ejected: 1, of: 4))
    #expect(!settings.mayEject(ejected: 2, of: 4))
    #expect(!settings.isPanic(available: 1, of: 2))
    #expect(settings.isPanic(available: 1, of: 3))
    #expect(settings.isPanic(available: 0, of: 1))
  }
}
