import RPC

/// When a server's connection is pinged, drained and closed.
///
/// A pure value in nanoseconds of one clock: it is asked at the times it names itself.
struct LifetimeState {
  /// What is known of the connection when it is asked.
  struct Facts: Equatable {
    var now: UInt64
    /// When the peer was heard last.
    var lastRead: UInt64
    /// Calls run.
    var isBusy: Bool
    var isDraining: Bool
  }

  enum Action: Equatable {
    case ping
    /// Streams that send nothing since the last sweep are reset.
    case sweep
    case drain(String)
    case close(String)
  }

  private let keepaliveInterval: UInt64?
  private let keepaliveTimeout: UInt64
  private let idleMax: UInt64?
  private let ageGrace: UInt64?
  private let sweepInterval: UInt64
  private let agesAt: UInt64?
  private var pingedAt: UInt64?
  private var agedAt: UInt64?
  private var sweptAt: UInt64

  /// - Parameter jitter: a factor for the age, 0.9 to 1.1, so that connections made together do
  ///   not end together.
  init(_ limits: ConnectionLifetime, now: UInt64, jitter: Double) {
    keepaliveInterval = limits.keepaliveInterval?.wholeNanoseconds
    keepaliveTimeout = limits.keepaliveTimeout.wholeNanoseconds
    idleMax = limits.idleMax?.wholeNanoseconds
    ageGrace = limits.ageGrace?.wholeNanoseconds
    sweepInterval = max(1, limits.streamStallMax.wholeNanoseconds / 2)
    agesAt = limits.ageMax.map { now &+ UInt64(Double($0.wholeNanoseconds) * jitter) }
    sweptAt = now
  }

  /// What is due, and when to ask again.
  mutating func due(_ facts: Facts) -> (actions: [Action], wake: UInt64) {
    var actions: [Action] = []
    var wake = sweep(facts, &actions)
    if let keepalive = keepalive(facts, &actions) { wake = min(wake, keepalive) }
    if let idle = idle(facts, &actions) { wake = min(wake, idle) }
    if let age = age(facts, &actions) { wake = min(wake, age) }
    return (actions, wake)
  }

  private mutating func sweep(_ facts: Facts, _ actions: inout [Action]) -> UInt64 {
    if facts.now >= sweptAt &+ sweepInterval {
      sweptAt = facts.now
      if facts.isBusy { actions.append(.sweep) }
    }
    return sweptAt &+ sweepInterval
  }

  private mutating func keepalive(_ facts: Facts, _ actions: inout [Action]) -> UInt64? {
    guard let keepaliveInterval else { return nil }
    if let pinged = pingedAt {
      if facts.lastRead > pinged {
        pingedAt = nil
      } else {
        if facts.now >= pinged &+ keepaliveTimeout {
          actions.append(.close("no answer to a keepalive ping"))
        }
        return pinged &+ keepaliveTimeout
      }
    }
    guard facts.now >= facts.lastRead &+ keepaliveInterval else {
      return facts.lastRead &+ keepaliveInterval
    }
    pingedAt = facts.now
    actions.append(.ping)
    return facts.now &+ keepaliveTimeout
  }

  private func idle(_ facts: Facts, _ actions: inout [Action]) -> UInt64? {
    guard let idleMax, !facts.isDraining else { return nil }
    if facts.isBusy { return facts.now &+ idleMax }
    guard facts.now >= facts.lastRead &+ idleMax else { return facts.lastRead &+ idleMax }
    actions.append(.drain("max_idle"))
    return nil
  }

  private mutating func age(_ facts: Facts, _ actions: inout [Action]) -> UInt64? {
    guard let agesAt else { return nil }
    if let agedAt {
      guard let ageGrace else { return nil }
      if facts.now >= agedAt &+ ageGrace { actions.append(.close("the connection is too old")) }
      return agedAt &+ ageGrace
    }
    guard facts.now >= agesAt else { return agesAt }
    agedAt = facts.now
    actions.append(.drain("max_age"))
    return ageGrace.map { facts.now &+ $0 }
  }
}
