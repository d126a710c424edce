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
    var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    var nextID: UInt64 = 0
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

  var callsPerDay: Int64 {
    get { quota.load(ordering: .relaxed) }
    set {
      let old = quota.exchange(newValue, ordering: .relaxed)
      if newValue > old { waiting.withLock { $0.exhausted = nil } }
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
  func add(_ count: Int64, day: Int64) {
    var bits = word.load(ordering: .relaxed)
    while true {
      let before = Word(bits: bits)
      // A later day, added concurrently, wins.
      guard before.day <= day else { return }
      let left = (before.day == day ? before.left : 0) + count
      let swap = word.weakCompareExchange(
        expected: bits, desired: Word(day: day, left: left).bits, ordering: .relaxed)
      if swap.exchanged { return }
      bits = swap.original
    }
  }

  /// Takes all that is left, to return it to the store; nil where nothing is left.
  func takeAll() -> (day: Int64, count: Int64)? {
    let last = Word(bits: word.exchange(0, ordering: .relaxed))
    return last.left > 0 ? (last.day, last.left) : nil
  }

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
    /// The number of calls granted of that day.
    case granted(Int64, day: Int64)
    /// The day's quota is used up; `askAgainAt` is in microseconds since 1970.
    case usedUp(day: Int64, askAgainAt: Int64)
    /// The lease was not used up after all; the store was not asked.
    case unneeded
    case failed(any Error)
  }

  /// Records the result and resumes all waiters.
  func endAsking(_ answer: Answer) {
    if case .granted(let count, let day) = answer { add(count, day: day) }
    let waiters = waiting.withLock { state in
      state.isAsked = false
      state.failure = nil
      switch answer {
      case .granted: state.exhausted = nil
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
