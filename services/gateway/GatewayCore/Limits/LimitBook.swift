import RPC
import ServiceKit
import Synchronization
import YijiaTypeV1

/// The meters of every partner that called, by one configuration.
///
/// Safe to use from any thread. What a lock guards is a part of the partners: calls of different
/// partners rarely meet there, and find their meter in a table that is ready.
///
/// Memory: one meter a partner and method that partners may call.
public final class LimitBook: Sendable {
  /// The meters of a partner, by the number of the method (``Route/limitIndex``).
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
  ///   - defaults: What holds where a partner's own entries say nothing.
  ///   - paths: ``RouteTable/limitedPaths``.
  ///   - counts: What was counted by configurations before.
  ///   - quotas: Counts the calls of a day; without a store nobody does.
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

  /// For ``CallMeter/begin(now:)``.
  var now: Int64 { clock.nanoseconds }

  /// Takes one of a day's calls, where they are limited.
  ///
  /// - Parameter deadline: Of the call.
  /// - Throws: ``GatewayFailure/quotaExceeded(_:)``, ``GatewayFailure/deadlineExceeded``;
  ///   `StorageError` where the store can't tell.
  func takeOfDay(_ meter: CallMeter?, by deadline: Deadline?) async throws {
    guard let quota = meter?.quota else { return }
    try await quotas?.take(quota, by: deadline)
  }

  /// Whether one of a day's calls can be taken without waiting.
  func hasOfDay(_ meter: CallMeter?) -> Bool {
    guard let quota = meter?.quota, let quotas else { return true }
    return quotas.has(quota)
  }

  /// Takes one of a day's calls, where they are limited, if that needs no waiting.
  func takeOfDayAtHand(_ meter: CallMeter?) -> Bool {
    guard let quota = meter?.quota, let quotas else { return true }
    return quotas.takeAtHand(quota)
  }

  /// The meter of a call; nil for callers that are no partners.
  ///
  /// - Parameter own: The partner's own limits; when they change, so do its meters.
  func meter(_ caller: Caller, own: [LimitSetting], _ route: Route) -> CallMeter? {
    guard caller.kind == .partner, let index = route.limitIndex else { return nil }
    // Identifiers are random: their last letters spread well.
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

/// What was counted of every partner and method, which outlives a configuration. A call asks for it
/// only when it is the first of its partner, or the limits have changed.
public final class LimitCounts: Sendable {
  private let counts = Mutex<[String: [String: CallMeter.Counts]]>([:])

  public init() {}

  /// A partner's meters for these methods.
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
