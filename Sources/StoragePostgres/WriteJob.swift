internal import Storage
internal import Synchronization

/// The next stage of a write.
enum Stage {
  case read([AnyQuery])
  case store(Commit)
  /// There is nothing to store; the reply is ready.
  case done
}

/// A type-erased write. Confined to whoever drives the engine's loop, except for `isCancelled`.
protocol WriteJob: AnyObject, Sendable {
  /// The instant at which its call arrived.
  var arrival: ContinuousClock.Instant { get }
  /// Whether its caller is gone, so that it need not start.
  var isCancelled: Bool { get }
  /// Starts or restarts the decision.
  func start() throws -> Stage
  /// Continues with the results of a read phase.
  func go(on results: ReadResults) throws -> Stage
  /// Completes the call, once.
  func finish(_ failure: (any Error)?)
}

/// The write of a caller.
// Guard: `continuation` is set before the job is submitted, and cleared by its caller if the engine
// refuses it. Otherwise only whoever drives the engine's loop touches the properties from then on:
// the engine's thread, or a caller to whom the loop is lent (locks of the mailbox and the loan).
final class PendingWrite<Reply: Sendable>: WriteJob, @unchecked Sendable {
  let arrival = ContinuousClock.now
  private let step: @Sendable () throws -> Step<Reply>
  private let cancelled = Atomic(false)
  // Set to `nil` by the first `finish`.
  private var continuation: UnsafeContinuation<Reply, any Error>?
  private var decide: (@Sendable (ReadResults) throws -> Step<Reply>)?
  private var reply: Reply?
  private var phases = 0

  init(_ step: @escaping @Sendable () throws -> Step<Reply>) {
    self.step = step
  }

  var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

  /// Submits the write to the engine and waits for its completion.
  nonisolated(nonsending) func submit(to engine: Engine) async throws -> Reply {
    try await withTaskCancellationHandler {
      try Task.checkCancellation()
      return try await withUnsafeThrowingContinuation { continuation in
        self.continuation = continuation
        do {
          try engine.submit(.write(self))
        } catch {
          self.continuation = nil
          continuation.resume(throwing: error)
        }
      }
    } onCancel: {
      cancelled.store(true, ordering: .relaxed)
      engine.post(.forgetWrites)
    }
  }

  func start() throws -> Stage {
    phases = 0
    return try stage(of: try step())
  }

  func go(on results: ReadResults) throws -> Stage {
    guard let decide else { preconditionFailure("results belong to a phase") }
    return try stage(of: try decide(results))
  }

  private func stage(of step: Step<Reply>) throws -> Stage {
    switch step {
    case .phase(let queries, let decide):
      phases += 1
      if phases > Limits.phasesPerWrite { throw StorageError.limit("read phases per write") }
      self.decide = decide
      return .read(queries)
    case .commit(let commit, let reply):
      self.reply = reply
      return .store(commit)
    case .reply(let reply):
      self.reply = reply
      return .done
    }
  }

  func finish(_ failure: (any Error)?) {
    guard let continuation else { return }
    self.continuation = nil
    if let failure {
      continuation.resume(throwing: failure)
    } else if let reply {
      continuation.resume(returning: reply)
    } else {
      preconditionFailure("a write that didn't fail has its reply")
    }
  }
}

/// A decided write that waits for its commit. Confined to whoever drives the engine's loop.
final class DecidedWrite {
  let job: any WriteJob
  var commit = Commit(at: .init(microseconds: 0))
  /// The number of attempts whose guard failed as the first of their group, which no other write of
  /// the transaction can have caused.
  var attempts = 0
  /// The number of all attempts.
  var starts = 0
  /// Whether it runs in a transaction of its own and is decided under the store's lock, after a
  /// failure.
  var isAlone = false
  /// Whether it was deferred and is being decided again.
  var isDeferred = false

  init(_ job: any WriteJob) {
    self.job = job
  }
}
