import Foundation
import ServiceKit
import Synchronization

/// The calls of a day that this process may still admit for one partner and method: the unused part
/// of its leases. Taking a call is one compare-and-swap.
///
/// Safe to use from any thread.
final class QuotaMeter: Sendable {
  /// The largest lease. A killed process loses at most one; a call waits for the store at the start
  /// of a day, and when leases are used up faster than they are granted.
  static let leaseMax: Int64 = 1_000
  /// For small quotas: a lease is this fraction of the quota.
  private static let leasesOfQuota: Int64 = 50

  /// A day and the rest of its leases in one word, so that both change atomically.
  private struct Word {
    private static let leftBits: UInt64 = 40

    let day: Int64
    let left: Int64

    init(day: Int64, left: Int64) {
      self.day = day
      self.left = left
    }

    init(bits: UInt64) {
      day = Int64(bits >> Self.leftBits)
      left = Int64(bits & (1 << Self.leftBits - 1))
    }

    var bits: UInt64 { UInt64(day) << Self.leftBits | UInt64(left) }
  }

  /// The result of taking a call.
  enum Take: Sendable, Hashable {
    case taken
    /// A call was taken, and it is time to request another lease.
    case takenLow
    case empty
  }

  private struct Waiting {
    /// Whether a lease is being requested.
    var isAsked = false
    /// The day whose quota is used up, and when the store may be asked again, in case another
    /// process has returned part of its lease.
    var exhausted: (day: Int64, until: Int64)?
    var failure: (any Error)?
    /// Leased calls that are not to be admitted, by day: they go back to the store.
    var surplus: [Int64: Int64] = [:]
    var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    var nextID: UInt64 = 0

    mutating func setAside(_ calls: (day: Int64, count: Int64)?) {
      if let calls { surplus[calls.day, default: 0] += calls.count }
    }
  }

  let partner: String
  let path: String
  private let word = Atomic<UInt64>(0)
  /// The quota; changes with the limits.
  private let quota = Atomic<Int64>(0)
  private let waiting = Mutex(Waiting())

  init(partner: String, path: String) {
    self.partner = partner
    self.path = path
  }

  /// The quota. Where it is lowered, what is left of the lease becomes a surplus: more than the new
  /// quota may have been admitted already.
  var callsPerDay: Int64 {
    get { quota.load(ordering: .relaxed) }
    set {
      waiting.withLock { state in
        let old = quota.exchange(newValue, ordering: .relaxed)
        if newValue > old { state.exhausted = nil }
        if newValue < old { state.setAside(takeLease()) }
      }
    }
  }

  /// Calls per lease.
  var lease: Int64 { max(1, min(Self.leaseMax, callsPerDay / Self.leasesOfQuota)) }

  /// Takes one call of that day from the lease, if one is left.
  func take(day: Int64) -> Take {
    var bits = word.load(ordering: .relaxed)
    while true {
      let before = Word(bits: bits)
      guard before.day == day, before.left > 0 else { return .empty }
      let swap = word.weakCompareExchange(
        expected: bits, desired: Word(day: day, left: before.left - 1).bits, ordering: .relaxed)
      if swap.exchanged { return before.left - 1 == lease / 2 ? .takenLow : .taken }
      bits = swap.original
    }
  }

  /// The unused calls of a day's leases.
  func left(day: Int64) -> Int64 {
    let word = Word(bits: word.load(ordering: .relaxed))
    return word.day == day ? word.left : 0
  }

  /// Adds a granted lease. What is left of an earlier day is discarded.
  ///
  /// - Returns: What is left of a later day, if there is something: the clock was set back, and
  ///   that day is yet to come.
  func add(_ count: Int64, day: Int64) -> (day: Int64, count: Int64)? {
    var bits = word.load(ordering: .relaxed)
    while true {
      let before = Word(bits: bits)
      let left = (before.day == day ? before.left : 0) + count
      let swap = word.weakCompareExchange(
        expected: bits, desired: Word(day: day, left: left).bits, ordering: .relaxed)
      if swap.exchanged {
        return before.day > day && before.left > 0 ? (before.day, before.left) : nil
      }
      bits = swap.original
    }
  }

  /// Takes what is left of the lease; nil where nothing is left.
  private func takeLease() -> (day: Int64, count: Int64)? {
    let last = Word(bits: word.exchange(0, ordering: .relaxed))
    return last.left > 0 ? (last.day, last.left) : nil
  }

  /// Takes the surplus, to return it to the store: the calls of each day.
  func takeSurplus() -> [Int64: Int64] {
    waiting.withLock { state in
      defer { state.surplus = [:] }
      return state.surplus
    }
  }

  /// Takes all that is left, to return it to the store: the calls of each day.
  func takeAll() -> [Int64: Int64] {
    var all = takeSurplus()
    if let (day, count) = takeLease() { all[day, default: 0] += count }
    return all
  }

  /// Whether something is to be returned to the store.
  var hasSurplus: Bool { waiting.withLock { !$0.surplus.isEmpty } }

  // MARK: - Leasing

  /// Whether the caller is the one who is to request a lease.
  func beginAsking() -> Bool {
    waiting.withLock { state in
      if state.isAsked { return false }
      state.isAsked = true
      return true
    }
  }

  /// The result of a lease request.
  enum Answer: Sendable {
    /// The number of calls granted of that day, by the quota at the time of asking.
    case granted(Int64, day: Int64, quota: Int64)
    /// The day's quota is used up; `askAgainAt` is in microseconds since 1970.
    case usedUp(day: Int64, askAgainAt: Int64)
    /// The lease was not used up after all; the store was not asked.
    case unneeded
    case failed(any Error)
  }

  /// Records the result and resumes all waiters.
  func endAsking(_ answer: Answer) {
    let waiters = waiting.withLock { state in
      state.isAsked = false
      state.failure = nil
      switch answer {
      case .granted(let count, let day, let quota):
        state.exhausted = nil
        // A quota that was lowered in the meantime has no part of a lease.
        state.setAside(quota > callsPerDay ? (day, count) : add(count, day: day))
      case .usedUp(let day, let askAgainAt): state.exhausted = (day, askAgainAt)
      case .unneeded: break
      case .failed(let error): state.failure = error
      }
      defer { state.waiters = [:] }
      return Array(state.waiters.values)
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Whether the day's quota is known to be used up.
  func isExhausted(day: Int64, now: Int64) -> Bool {
    waiting.withLock { state in
      state.exhausted.map { $0.day == day && now < $0.until } ?? false
    }
  }

  /// Suspends until the pending request has been answered.
  ///
  /// - Throws: The error of the request; `CancellationError`.
  func waitForAnswer() async throws {
    let id = waiting.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = waiting.withLock { state in
          if Task.isCancelled || !state.isAsked { return true }
          state.waiters[id] = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      waiting.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
    }
    try Task.checkCancellation()
    if let failure = waiting.withLock({ $0.isAsked ? nil : $0.failure }) { throw failure }
  }
}
