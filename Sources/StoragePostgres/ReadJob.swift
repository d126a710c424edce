internal import Storage
internal import Synchronization

/// Queries to be executed on one snapshot. Confined to whoever drives the engine's loop once
/// submitted.
// Guard: built by the submitting task, which also fails it if the engine refuses it. Otherwise
// touched only by whoever drives the engine's loop: the engine's thread, or a caller to whom the
// loop is lent (locks of the mailbox and the loan).
final class ReadJob: @unchecked Sendable {
  /// The maximum number of attempts of a read that failed because of another read in its batch.
  private static let attemptsMax = 16
  /// The number of cancellations by the server, unrequested, after which the read is too slow.
  private static let endingsMax = 2

  let queries: [AnyQuery]
  /// The instant at which its call arrived.
  let arrival: ContinuousClock.Instant
  /// Whether it is a read phase of a write.
  let isPhase: Bool
  private var finish: ((Result<ReadResults, any Error>) -> Void)?
  private var results: [ReadResult] = []
  private var attempts = 0
  private var endings = 0
  /// Whether it is to be sent again after its batch.
  private var isTakenAlong = false

  init(
    _ queries: [AnyQuery], arrival: ContinuousClock.Instant, isPhase: Bool = false,
    _ finish: @escaping (Result<ReadResults, any Error>) -> Void
  ) {
    self.queries = queries
    self.arrival = arrival
    self.isPhase = isPhase
    self.finish = finish
  }

  var isDone: Bool { finish == nil }

  /// Starts an attempt without results.
  func start() {
    results = []
    isTakenAlong = false
    attempts += 1
    if attempts > Self.attemptsMax { fail(StorageError.busy) }
  }

  /// Whether it is to be sent again; evaluated at the end of its batch.
  var needsAnother: Bool { !isDone && isTakenAlong }

  /// Handles the result of its next query.
  func take(_ result: PostgresResult) {
    guard !isDone, !isTakenAlong else { return }
    switch result.status {
    case .done: decode(result)
    case .passedOver, .sync: isTakenAlong = true
    case .failed(let error):
      if error.isCancellation { endings += 1 }
      let isOver = error.isCancellation && endings >= Self.endingsMax
      if !isOver && (error.isCancellation || error.isStale || error.isTransient) {
        isTakenAlong = true
      } else if error.endsConnection {
        isTakenAlong = true
      } else {
        fail(error.storageError(sql: queries[results.count].sql))
      }
    }
  }

  private func decode(_ result: PostgresResult) {
    do {
      results.append(try queries[results.count].decode(try result.rows()))
    } catch {
      return fail(error)
    }
    if results.count == queries.count {
      finish?(.success(ReadResults(results)))
      finish = nil
    }
  }

  func fail(_ error: any Error) {
    finish?(.failure(error))
    finish = nil
  }
}
