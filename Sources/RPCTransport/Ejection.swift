import RPC

/// The ejection state of a backend whose calls fail. A pure value: the time is passed in.
/// Source: gRFC A50 (outlier detection), Envoy.
struct Ejection: Sendable, Hashable {
  typealias Instant = ContinuousClock.Instant

  enum Phase: Sendable, Hashable {
    case admitted
    case ejected(until: Instant)
  }

  enum Input: Sendable, Hashable {
    /// The backend has had too many consecutive failures. `mayEject`: not too many others are
    /// ejected.
    case outlier(mayEject: Bool)
    /// Time has passed.
    case look
  }

  enum Action: Sendable, Hashable {
    case none
    /// Send its calls elsewhere until that time, then apply `look`.
    case eject(until: Instant)
    /// Send calls to it again.
    case admit
  }

  private(set) var phase = Phase.admitted
  /// Ejections that still count; each makes the next one longer.
  private(set) var count = 0
  /// When the last ejection ended.
  private(set) var admittedAt: Instant?

  var isEjected: Bool { phase != .admitted }

  mutating func apply(
    _ input: Input, at now: Instant, _ settings: OutlierDetection
  ) -> Action {
    switch (phase, input) {
    case (.admitted, .outlier(mayEject: true)):
      // Each interval without an ejection cancels one.
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
  /// Returns whether another backend may be ejected.
  func mayEject(ejected: Int, of total: Int) -> Bool {
    ejected == 0 || ejected * 100 < maxEjectionPercent * total
  }

  /// Returns whether so few backends are left that the ejected ones are used too.
  func isPanic(available: Int, of total: Int) -> Bool {
    available * 100 < panicThresholdPercent * total
  }
}

extension SlowStart {
  /// Returns the fraction of its full share that a backend of that age has, up to 1.
  func weight(age: Duration) -> Double {
    min(1, max(age / window, Double(minWeightPercent) / 100))
  }
}
