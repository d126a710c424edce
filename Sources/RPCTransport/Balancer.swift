import RPC

/// Chooses the backend of a call. A pure value: loads, weights and randomness are passed in.
/// Source: gRFC A48 (least request), Envoy's round robin and slow start.
struct Balancer: Sendable, Hashable {
  /// The properties of a lane that the choice depends on.
  struct Facts: Sendable, Hashable {
    /// Calls in flight there.
    var active = 0
    /// Whether it accepts no further stream at the moment.
    var isFull = false
    /// Its fraction of a full share: less than 1 during slow start.
    var weight = 1.0
  }

  /// The chosen lane; it is full only if all lanes are.
  struct Choice: Sendable, Hashable {
    let index: Int
    let isFull: Bool
  }

  private var next = 0

  /// Chooses the lane for a call out of `count`, which is at least one.
  mutating func pick(
    _ policy: LoadBalancing, of count: Int, random: inout some RandomNumberGenerator,
    _ facts: (Int) -> Facts
  ) -> Choice {
    if case .leastRequest(let choices) = policy, count > 1 {
      return leastRequest(choices, of: count, random: &random, facts)
    }
    return inTurn(of: count, random: &random, facts)
  }

  /// Chooses the next lane in turn, preferably one with a free stream. A lane in slow start is
  /// skipped by some calls.
  private mutating func inTurn(
    of count: Int, random: inout some RandomNumberGenerator, _ facts: (Int) -> Facts
  ) -> Choice {
    var spare: Int?
    for _ in 0..<count {
      let index = turn(count)
      let known = facts(index)
      if known.isFull { continue }
      if known.weight >= 1 || Double.random(in: 0..<1, using: &random) < known.weight {
        return Choice(index: index, isFull: false)
      }
      spare = spare ?? index
    }
    if let spare { return Choice(index: spare, isFull: false) }
    return Choice(index: turn(count), isFull: true)
  }

  /// Chooses the least loaded of some lanes drawn at random, or of all if there are no more.
  private mutating func leastRequest(
    _ choices: Int, of count: Int, random: inout some RandomNumberGenerator,
    _ facts: (Int) -> Facts
  ) -> Choice {
    let drawn = min(max(2, choices), count)
    let first = turn(count)
    var best: (index: Int, load: Double)?
    for step in 0..<drawn {
      let index =
        drawn == count ? (first + step) % count : Int.random(in: 0..<count, using: &random)
      let known = facts(index)
      if known.isFull { continue }
      let load = Double(known.active + 1) / known.weight
      if best.map({ load < $0.load }) ?? true { best = (index, load) }
    }
    if let best { return Choice(index: best.index, isFull: false) }
    // The drawn lanes are full; others may not be.
    for step in 0..<count where !facts((first + step) % count).isFull {
      return Choice(index: (first + step) % count, isFull: false)
    }
    return Choice(index: first, isFull: true)
  }

  private mutating func turn(_ count: Int) -> Int {
    if next >= count { next = 0 }
    defer { next += 1 }
    return next
  }
}

/// A small generator for random choices that need not be unpredictable: SplitMix64.
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
struct QuickRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
