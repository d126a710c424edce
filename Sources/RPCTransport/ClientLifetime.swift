import RPC

/// Decides when a client's connection is pinged, given up, or closed because it is idle.
///
/// A pure value in nanoseconds of one clock; it is asked at the times that it returns.
/// Source: gRFC A8.
struct ClientLifetime: Sendable, Hashable {
  /// The state of the connection when it is asked.
  struct Facts: Sendable, Hashable {
    var now: UInt64
    /// When the last bytes of the peer arrived.
    var lastRead: UInt64
    /// Whether calls are in flight.
    var isBusy: Bool
    /// The number of calls begun so far.
    var callsBegun: UInt64
    /// Whether the connection takes no new calls and closes after the last one.
    var isDraining = false
  }

  enum Action: Sendable, Hashable { case none, ping, giveUp, idle }

  private let interval: UInt64?
  private let timeout: UInt64
  private let permitWithoutCalls: Bool
  private let idleMax: UInt64?
  private var pingedAt: UInt64?
  /// The last check for calls, with the number of calls begun by then.
  private var idleLook: Look?

  private struct Look: Sendable, Hashable {
    var at: UInt64
    var callsBegun: UInt64
  }

  /// - Parameter scale: The factor of the keepalive interval, which grows with the complaints of
  ///   servers.
  init(keepalive: ClientKeepalive?, scale: Int = 1, idleMax: Duration?) {
    interval = keepalive.map {
      (max($0.interval, ClientKeepalive.intervalMin) * scale).wholeNanoseconds
    }
    timeout = keepalive?.timeout.wholeNanoseconds ?? 0
    permitWithoutCalls = keepalive?.permitWithoutCalls ?? false
    self.idleMax = idleMax?.wholeNanoseconds
  }

  /// Returns the action that is due, and when to ask again; nil if nothing is watched.
  mutating func due(_ facts: Facts) -> (action: Action, wake: UInt64?) {
    let (keepalive, keepaliveWake) = self.keepalive(facts)
    if keepalive == .giveUp { return (.giveUp, nil) }
    let (isIdle, idleWake) = idle(facts)
    if isIdle { return (.idle, nil) }
    let wake = [keepaliveWake, idleWake].compactMap { $0 }.min()
    return (keepalive, wake)
  }

  private mutating func keepalive(_ facts: Facts) -> (Action, UInt64?) {
    guard let interval else { return (.none, nil) }
    if let pinged = pingedAt, facts.lastRead <= pinged {
      let end = pinged &+ timeout
      return facts.now >= end ? (.giveUp, nil) : (.none, end)
    }
    pingedAt = nil
    let next = facts.lastRead &+ interval
    if facts.now < next { return (.none, next) }
    // Without calls, nothing is sent; a call that begins waits for the rest of this interval.
    guard facts.isBusy || permitWithoutCalls else { return (.none, facts.now &+ interval) }
    pingedAt = facts.now
    return (.ping, facts.now &+ timeout)
  }

  private mutating func idle(_ facts: Facts) -> (Bool, UInt64?) {
    guard let idleMax, !facts.isDraining else { return (false, nil) }
    if let look = idleLook, facts.now < look.at &+ idleMax {
      return (false, look.at &+ idleMax)
    }
    if let look = idleLook, !facts.isBusy, look.callsBegun == facts.callsBegun {
      return (true, nil)
    }
    // With calls now, the connection cannot be idle at the next check: no count equals `.max`.
    idleLook = Look(at: facts.now, callsBegun: facts.isBusy ? .max : facts.callsBegun)
    return (false, facts.now &+ idleMax)
  }
}
