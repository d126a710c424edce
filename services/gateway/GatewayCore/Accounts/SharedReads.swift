import ServiceKit
import Synchronization

/// The reads in progress, by key. Concurrent callers with the same key share one read.
///
/// Safe to use from any task.
final class SharedReads<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  /// The result of a read; nil if its task was cancelled.
  private typealias Outcome = Result<Value, any Error>?

  private struct State {
    /// The callers that wait for each read.
    var waiters: [Key: [UInt64: CheckedContinuation<Outcome, Never>]] = [:]
    var nextID: UInt64 = 0
  }

  private let readsMax: Int
  private let state = Mutex(State())

  /// - Parameter readsMax: The limit of concurrent reads.
  init(atMost readsMax: Int) { self.readsMax = readsMax }

  /// Returns the result of `read`, or of the read of that key that is in progress. Where the latter
  /// is cancelled, one of those that wait for it reads.
  ///
  /// - Throws: Any error of the read; ``CommonFailure/storageBusy`` at the limit;
  ///   `CancellationError`.
  func value(of key: Key, _ read: () async throws -> Value) async throws -> Value {
    while try !begins(key) {
      if let outcome = await outcome(of: key) { return try outcome.get() }
      try Task.checkCancellation()
    }
    do {
      let value = try await read()
      end(key, .success(value))
      return value
    } catch {
      end(key, Task.isCancelled ? nil : .failure(error))
      throw error
    }
  }

  /// Registers a read of the key; returns false if one is in progress.
  private func begins(_ key: Key) throws(CommonFailure) -> Bool {
    try state.withLock { state throws(CommonFailure) in
      if state.waiters[key] != nil { return false }
      guard state.waiters.count < readsMax else { throw .storageBusy }
      state.waiters[key] = [:]
      return true
    }
  }

  private func end(_ key: Key, _ outcome: Outcome) {
    let waiters = state.withLock { $0.waiters.removeValue(forKey: key) } ?? [:]
    for waiter in waiters.values { waiter.resume(returning: outcome) }
  }

  /// Suspends until the read in progress ends or the task is cancelled. Returns nil in the latter
  /// case, and if the read has ended already.
  private func outcome(of key: Key) async -> Outcome {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let waits = state.withLock { state in
          if Task.isCancelled || state.waiters[key] == nil { return false }
          state.waiters[key]?[id] = continuation
          return true
        }
        if !waits { continuation.resume(returning: nil) }
      }
    } onCancel: {
      state.withLock { $0.waiters[key]?.removeValue(forKey: id) }?.resume(returning: nil)
    }
  }
}
