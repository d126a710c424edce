import RPC

/// Whether a backend is left out because its calls fail. A pure value: the time comes from outside.
/// Source: gRFC A50 (outlier detection), Envoy.
struct Ejection: Sendable, Hashable {
  typealias Instant = ContinuousClock.Instant

  enum Phase: Sendable, Hashable {
    case admitted
    case ejected(until: Instant)
  }

  enum Input: Sendable, Hashable {
    /// So many calls in a row failed there. `mayEject`: not too many others are left out.
    case outlier(mayEject: Bool)
    /// Time has passed.
    case look
  }

  enum Action: Sendable, Hashable {
    case none
    /// Calls go elsewhere until then; look again at that time.
    case eject(until: Instant)
    /// It has its share of the calls again.
    case admit
  }

  private(set) var phase = Phase.admitted
  /// Ejections that still count: each next one is longer.
  private(set) var count = 0
  /// When it was admitted again last.
  private(set) var admittedAt: Instant?

  var isEjected: Bool { phase != .admitted }

  mutating func apply(
    _ input: Input, at now: Instant, _ settings: OutlierDetection
  ) -> Action {
    switch (phase, input) {
    case (.admitted, .outlier(mayEject: true)):
      // Each interval that went well forgives one.
      if let admittedAt, count > 0 {
        count = max(0, count - Int(admittedAt.duration(to: now) / settings.interval))
      }
      count += 1
      let until = now + min(settings.baseEjectionTime * count, settings.maxEjectionTime)
      phase = .ejected(until: until)
      return .eject(until: until)
    case (.ejected(let until), .look) where now >= until:
      phase = .admitted
      admittedAt = now
      return .admit
    default: return .none
    }
  }
}

extension OutlierDetection {
  /// Whether another backend may be left out.
  func mayEject(ejected: Int, of total: Int) -> Bool {
    ejected == 0 || ejected * 100 < maxEjectionPercent * total
  }

  /// Whether so few are left that all are used.
  func isPanic(available: Int, of total: Int) -> Bool {
    available * 100 < panicThresholdPercent * total
  }
}

extension SlowStart {
  /// The part of its share that a backend of that age has, up to 1.
  func weight(age: Duration) -> Double {
    min(1, max(age / window, Double(minWeightPercent) / 100))
  }
}
