import Foundation
public import Logging
import RPC
public import ServiceKit
public import Storage
import Synchronization

/// Enforces daily quotas exactly, over all gateways of a store and their restarts: a gateway leases
/// calls from the store in one write, ahead of need, and admits that many from memory.
///
/// The quota is never exceeded: a lease is committed before the first of its calls is admitted. A
/// gateway that is killed loses the rest of its leases, at most one lease for each partner and
/// method; one that shuts down returns it.
public final class QuotaLeases: Sendable {
  /// How long the store is not asked again for a used-up quota, in microseconds.
  private static let askAgain: Int64 = 2_000_000

  private let database: any Database
  private let clock: Clock
  let zone: DayZone
  private let meters = Mutex<[String: [String: QuotaMeter]]>([:])
  private let wanted: AsyncStream<QuotaMeter>
  private let want: AsyncStream<QuotaMeter>.Continuation

  /// - Parameters:
  ///   - database: The gateway's store.
  ///   - zone: Defines when a day begins.
  public init(database: any Database, zone: DayZone, clock: Clock = .system) {
    self.database = database
    self.zone = zone
    self.clock = clock
    (wanted, want) = AsyncStream.makeStream()
  }

  /// Returns the meter of a partner and method.
  func meter(_ partner: String, _ path: String, callsPerDay: Int64) -> QuotaMeter {
    let meter = meters.withLock { meters in
      if let known = meters[partner]?[path] { return known }
      let made = QuotaMeter(partner: partner, path: path)
      meters[partner, default: [:]][path] = made
      return made
    }
    meter.callsPerDay = callsPerDay
    if meter.hasSurplus { ask(meter) }
    return meter
  }

  /// Takes one call. Only the first calls of a day, and calls that come faster than leases are
  /// granted, wait for the store.
  ///
  /// - Parameter deadline: The call's deadline.
  /// - Throws: ``GatewayFailure/quotaExceeded(_:)``, ``GatewayFailure/deadlineExceeded``;
  ///   `StorageError` where the store fails.
  func take(_ meter: QuotaMeter, by deadline: Deadline? = nil) async throws {
    while true {
      let now = clock.microseconds
      let day = zone.day(at: now)
      switch meter.take(day: day) {
      case .taken: return
      case .takenLow: return ask(meter)
      case .empty: break
      }
      if meter.isExhausted(day: day, now: now) {
        throw GatewayFailure.quotaExceeded(notice(meter, day: day, now: now))
      }
      ask(meter)
      try await deadline.bounding { try await meter.waitForAnswer() }
    }
  }

  /// Whether a call can be taken without suspending.
  func has(_ meter: QuotaMeter) -> Bool {
    meter.left(day: zone.day(at: clock.microseconds)) > 0
  }

  /// Takes a call, unless that needs to suspend; `take(_:by:)` is for those that do.
  func takeAtHand(_ meter: QuotaMeter) -> Bool {
    switch meter.take(day: zone.day(at: clock.microseconds)) {
    case .taken: return true
    case .takenLow:
      ask(meter)
      return true
    case .empty: return false
    }
  }

  private func ask(_ meter: QuotaMeter) {
    if meter.beginAsking() { want.yield(meter) }
  }

  private func notice(_ meter: QuotaMeter, day: Int64, now: Int64) -> LimitNotice {
    LimitNotice(
      policy: "day", quota: meter.callsPerDay, window: 86_400, left: 0,
      wait: .microseconds(zone.start(of: day + 1) - now))
  }

  /// Leases calls on demand until the task is cancelled; then returns the unused ones to the store.
  public func run(logger: Logger) async {
    await withDiscardingTaskGroup { group in
      for await meter in wanted {
        group.addTask { await self.renew(meter, logger) }
      }
    }
    await giveBack(logger)
  }

  /// Requests one lease from the store, which gets a surplus back before.
  private func renew(_ meter: QuotaMeter, _ logger: Logger) async {
    let now = clock.now
    let day = zone.day(at: now.microseconds)
    let again = now.microseconds + Self.askAgain
    do {
      // Where this write fails the surplus is lost: it may have been returned, and twice would be
      // too much.
      var returned = Commit(at: now)
      add(meter.takeSurplus(), of: meter, to: &returned)
      if !returned.statements.isEmpty { try await database.write(returned) }
      let quota = meter.callsPerDay
      let count = meter.lease - meter.left(day: day)
      guard count > 0 else { return meter.endAsking(.unneeded) }
      let granted = try await database.write {
        QuotaStore.lease(
          partner: meter.partner, path: meter.path, day: day, count: count, quota: quota, at: now)
      }
      meter.endAsking(
        granted > 0
          ? .granted(granted, day: day, quota: quota) : .usedUp(day: day, askAgainAt: again))
    } catch {
      if !Task.isCancelled {
        logger.warning("no lease of a quota", metadata: ["cause": "\(error)"])
      }
      meter.endAsking(.failed(error))
    }
  }

  /// Adds the return of unused calls to a commit, but for those of days that are over.
  private func add(_ calls: [Int64: Int64], of meter: QuotaMeter, to commit: inout Commit) {
    let today = zone.day(at: commit.time.microseconds)
    for (day, count) in calls where day >= today {
      commit.run(QuotaStore.giveBack(partner: meter.partner, path: meter.path, day: day, count))
    }
  }

  /// Returns all unused leases; for shutdown, when no more calls are admitted.
  private func giveBack(_ logger: Logger) async {
    let meters = meters.withLock { $0.values.flatMap(\.values) }
    let now = clock.now
    var commit = Commit(at: now)
    for meter in meters { add(meter.takeAll(), of: meter, to: &commit) }
    guard !commit.statements.isEmpty else { return }
    let last = commit
    // An unstructured task, since this one is cancelled. It is awaited.
    await Task { [database] in
      do {
        try await database.write(last)
      } catch {
        logger.warning("leases of quotas are lost", metadata: ["cause": "\(error)"])
      }
    }.value
  }
}

/// Defines when a day begins: at a fixed offset from UTC, as in China since 1991.
public struct DayZone: Sendable, Hashable {
  private static let dayMicroseconds: Int64 = 86_400_000_000

  /// Offset from UTC, in microseconds.
  let offset: Int64

  /// UTC+8.
  public static let china = DayZone(minutes: 480)

  /// - Parameter minutes: Minutes east of UTC.
  public init(minutes: Int) { offset = Int64(minutes) * 60_000_000 }

  /// Parses `+08:00`; nil where the text has another form, or the offset is beyond ±14 hours.
  public init?(_ text: String) {
    let parts = text.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
    guard let sign = text.first, "+-".contains(sign), parts.count == 2,
      parts.allSatisfy({ $0.count == 2 && $0.allSatisfy(\.isWholeNumber) }),
      let hours = Int(parts[0]), let minutes = Int(parts[1]), minutes < 60,
      hours * 60 + minutes <= 14 * 60
    else { return nil }
    self.init(minutes: (sign == "-" ? -1 : 1) * (hours * 60 + minutes))
  }

  /// Returns the number of days since 1970-01-01 at an instant in microseconds since 1970.
  func day(at instant: Int64) -> Int64 {
    let (quotient, rest) = (instant + offset).quotientAndRemainder(dividingBy: Self.dayMicroseconds)
    return rest < 0 ? quotient - 1 : quotient
  }

  /// Returns the instant at which a day begins, in microseconds since 1970.
  func start(of day: Int64) -> Int64 { day * Self.dayMicroseconds - offset }
}
