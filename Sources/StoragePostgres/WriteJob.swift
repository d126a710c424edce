internal import Storage
internal import Synchronization

/// What a write wants next.
enum Stage {
  case read([AnyQuery])
  case store(Commit)
  /// Nothing to store: its reply is ready.
  case done
}

/// A write, its reply's type forgotten. All but `isCancelled` is confined to the engine's thread.
protocol WriteJob: AnyObject, Sendable {
  /// When its call arrived.
  var arrival: ContinuousClock.Instant { get }
  /// Its caller has gone: it needn't begin.
  var isCancelled: Bool { get }
  /// Begins, or begins anew.
  func start() throws -> Stage
  /// Goes on with what a phase read.
  func go(on results: ReadResults) throws -> Stage
  /// Answers the caller, once.
  func finish(_ failure: (any Error)?)
}

/// A caller's write.
// Sendable: `continuation` is set before the job is submitted; the properties are then touched by
// the engine's thread only.
final class PendingWrite<Reply: Sendable>: WriteJob, @unchecked Sendable {
  let arrival = ContinuousClock.now
  private let step: @Sendable () throws -> Step<Reply>
  private let cancelled = Atomic(false)
  // `finish` answers once.
  private var continuation: UnsafeContinuation<Reply, any Error>?
  private var decide: (@Sendable (ReadResults) throws -> Step<Reply>)?
  private var reply: Reply?
  private var phases = 0

  init(_ step: @escaping @Sendable () throws -> Step<Reply>) {
    self.step = step
  }

  var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

  /// Submits itself and waits for the answer.
  func submit(to engine: Engine) async throws -> Reply {
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

/// A decided write that waits for its commit.
final class DecidedWrite {
  let job: any WriteJob
  var commit = Commit(at: .init(microsecondsSince1970: 0))
  /// Attempts that ended since a guard failed, and none of them by what shared its transaction.
  var attempts = 0
  /// All attempts.
  var starts = 0
  /// Runs in a transaction of its own, decided under the store's lock, since something failed.
  var isAlone = false
  /// Was put off, and is being decided again.
  var isDeferred = false

  init(_ job: any WriteJob) {
    self.job = job
  }
}
