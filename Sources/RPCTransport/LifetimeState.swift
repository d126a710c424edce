import RPC

/// Decides when a server's connection is pinged, drained and closed.
///
/// A pure value in nanoseconds of one clock; it is asked at the times that it returns.
struct LifetimeState {
  /// The state of the connection when it is asked.
  struct Facts: Equatable {
    var now: UInt64
    /// When the last bytes of the peer arrived.
    var lastRead: UInt64
    /// Whether calls are running.
    var isBusy: Bool
    /// The number of calls begun so far.
    var callsBegun: Int
    var isDraining: Bool
  }

  enum Action: Equatable {
    case ping
    /// Reset the streams that have sent nothing since the last sweep.
    case sweep
    /// Fail the requests of which nothing has arrived since the last such sweep.
    case sweepRequests
    /// Drain the connection, with that debug data. Source: gRFC A9.
    case drain(String)
    case close(String)
  }

  private let keepaliveInterval: UInt64?
  private let keepaliveTimeout: UInt64
  private let idleMax: UInt64?
  private let ageGrace: UInt64?
  private var streams: Sweep
  private var requests: Sweep
  private let agesAt: UInt64?
  private var pingedAt: UInt64?
  private var agedAt: UInt64?
  /// The first check without calls, and the number of calls begun by then. What ends between two
  /// checks counts as if it ended at the second.
  private var idle: (since: UInt64, calls: Int)?

  /// - Parameter jitter: A factor of the age, 0.9 to 1.1, so that connections made together do not
  ///   end together.
  init(_ limits: ConnectionLifetime, now: UInt64, jitter: Double) {
    keepaliveInterval = limits.keepaliveInterval?.wholeNanoseconds
    keepaliveTimeout = limits.keepaliveTimeout.wholeNanoseconds
    idleMax = limits.idleMax?.wholeNanoseconds
    ageGrace = limits.ageGrace?.wholeNanoseconds
    streams = Sweep(limits.streamStallMax, now: now)
    requests = Sweep(limits.requestStallMax, now: now)
    agesAt = limits.ageMax.map { now &+ UInt64(Double($0.wholeNanoseconds) * jitter) }
    idle = (now, 0)
  }

  /// Returns the actions that are due, and when to ask again.
  mutating func due(_ facts: Facts) -> (actions: [Action], wake: UInt64) {
    var actions: [Action] = []
    if streams.isDue(facts.now), facts.isBusy { actions.append(.sweep) }
    if requests.isDue(facts.now), facts.isBusy { actions.append(.sweepRequests) }
    var wake = min(streams.next, requests.next)
    if let keepalive = keepalive(facts, &actions) { wake = min(wake, keepalive) }
    if let idleness = idleness(facts, &actions) { wake = min(wake, idleness) }
    if let age = age(facts, &actions) { wake = min(wake, age) }
    return (actions, wake)
  }

  /// The schedule of a sweep for stalls, which is due twice within the limit of a stall.
  private struct Sweep {
    private let interval: UInt64
    private(set) var next: UInt64

    init(_ stallMax: Duration, now: UInt64) {
      interval = max(1, stallMax.wholeNanoseconds / 2)
      next = now &+ interval
    }

    mutating func isDue(_ now: UInt64) -> Bool {
      guard now >= next else { return false }
      next = now &+ interval
      return true
    }
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

  private mutating func idleness(_ facts: Facts, _ actions: inout [Action]) -> UInt64? {
    guard let idleMax, !facts.isDraining else { return nil }
    if facts.isBusy {
      idle = nil
      return facts.now &+ idleMax
    }
    let known = idle.flatMap { $0.calls == facts.callsBegun ? $0.since : nil } ?? facts.now
    idle = (known, facts.callsBegun)
    guard facts.now >= known &+ idleMax else { return known &+ idleMax }
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
