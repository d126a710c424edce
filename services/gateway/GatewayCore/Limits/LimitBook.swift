import RPC
import ServiceKit
import Synchronization
import YijiaTypeV1

/// The meters of all partners that have called, for one configuration.
///
/// Safe to use from any thread. Locks are sharded by partner, so that calls of different partners
/// rarely contend; a partner's meters are built once and then looked up by index.
///
/// Memory: one meter per partner and limited method.
public final class LimitBook: Sendable {
  /// The meters of one partner, indexed by ``Route/limitIndex``.
  private struct PartnerMeters: Sendable {
    let own: [LimitSetting]
    let meters: [CallMeter]
  }

  private final class Shard: Sendable {
    let partners = Mutex<[String: PartnerMeters]>([:])
  }

  private static let shardsCount = 64

  private let defaults: [LimitSetting]
  private let paths: [String]
  private let counts: LimitCounts
  private let quotas: QuotaLeases?
  private let clock: LimitClock
  private let shards = (0..<LimitBook.shardsCount).map { _ in Shard() }

  /// - Parameters:
  ///   - defaults: Limits for what a partner's own entries do not state.
  ///   - paths: ``RouteTable/limitedPaths``.
  ///   - counts: The counters, which are shared with earlier configurations.
  ///   - quotas: Counts daily quotas; nil without a store, and then they are not enforced.
  init(
    _ defaults: [LimitSetting], paths: [String], counts: LimitCounts = LimitCounts(),
    quotas: QuotaLeases? = nil, clock: LimitClock = .system
  ) {
    self.defaults = defaults
    self.paths = paths
    self.counts = counts
    self.quotas = quotas
    self.clock = clock
  }

  /// The time for ``CallMeter/begin(now:)``.
  var now: Int64 { clock.nanoseconds }

  /// Takes one call of the daily quota, if there is one.
  ///
  /// - Parameter deadline: The call's deadline.
  /// - Throws: ``GatewayFailure/quotaExceeded(_:)``, ``GatewayFailure/deadlineExceeded``;
  ///   `StorageError` where the store fails.
  func takeOfDay(_ meter: CallMeter?, by deadline: Deadline?) async throws {
    guard let quota = meter?.quota else { return }
    try await quotas?.take(quota, by: deadline)
  }

  /// Whether a call of the daily quota can be taken without suspending.
  func hasOfDay(_ meter: CallMeter?) -> Bool {
    guard let quota = meter?.quota, let quotas else { return true }
    return quotas.has(quota)
  }

  /// Takes one call of the daily quota, if there is one, unless that needs to suspend.
  func takeOfDayAtHand(_ meter: CallMeter?) -> Bool {
    guard let quota = meter?.quota, let quotas else { return true }
    return quotas.takeAtHand(quota)
  }

  /// Returns the meter of a call; nil for callers other than partners.
  ///
  /// - Parameter own: The partner's own limits; the meters are rebuilt when they change.
  func meter(_ caller: Caller, own: [LimitSetting], _ route: Route) -> CallMeter? {
    guard caller.kind == .partner, let index = route.limitIndex else { return nil }
    // Identifiers are random, so their last digits are evenly distributed.
    let place = caller.subject.utf8.suffix(2).reduce(0) { $0 &* 31 &+ Int($1) }
    return shards[place % Self.shardsCount].partners.withLock { partners in
      if let known = partners[caller.subject], known.own == own { return known.meters[index] }
      let made = counts.meters(of: caller.subject, paths) { path in
        let limits = MethodLimits(of: path, own: own, defaults: defaults)
        let quota = limits.callsPerDay.flatMap {
          quotas?.meter(caller.subject, path, callsPerDay: Int64($0))
        }
        return (limits, quota)
      }
      partners[caller.subject] = PartnerMeters(own: own, meters: made)
      return made[index]
    }
  }
}

/// The counters of all partners and methods, which outlive a configuration. A call looks them up
/// only if it is the first of its partner, or if the limits have changed.
public final class LimitCounts: Sendable {
  private let counts = Mutex<[String: [String: CallMeter.Counts]]>([:])

  public init() {}

  /// Returns the partner's meters for `paths`, in that order.
  func meters(
    of subject: String, _ paths: [String], _ limits: (String) -> (MethodLimits, QuotaMeter?)
  ) -> [CallMeter] {
    counts.withLock { counts in
      paths.map { path in
        let known = counts[subject]?[path] ?? CallMeter.Counts()
        counts[subject, default: [:]][path] = known
        let (limits, quota) = limits(path)
        return CallMeter(limits, counts: known, quota: quota)
      }
    }
  }
}
