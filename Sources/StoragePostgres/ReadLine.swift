internal import Storage

/// A read connection. The commands between two syncs are one `repeatable read` transaction with one
/// snapshot, taken at its first query: after every job of the batch was submitted.
final class ReadLine {
  let pipeline: Pipeline<ReadJob?>
  private var batches: [[ReadJob]] = []
  private var canceller: Canceller?
  private var progressAtTick = -1
  private var lastCancel: ContinuousClock.Instant?

  /// The minimum interval between two cancel requests: each blocks a thread while the server
  /// handles it.
  private static let cancelPause = Duration.milliseconds(500)

  init(_ link: PostgresLink) {
    pipeline = Pipeline(link)
    canceller = link.canceller()
  }

  /// The number of jobs in flight.
  private(set) var load = 0
  /// Whether the server answered nothing between the last two ticks; other connections are
  /// preferred then.
  private(set) var isSlow = false

  /// Whether another connection would help.
  var isBusy: Bool { isSlow || load >= Self.busyLoad }

  /// The number of jobs in flight from which a connection is busy: some round trips' worth of
  /// reads.
  private static let busyLoad = 8

  /// Returns whether this connection is preferred to the other for the next reads.
  func isBetter(than other: ReadLine?) -> Bool {
    guard let other else { return true }
    return isSlow == other.isSlow ? load < other.load : !isSlow
  }

  /// Sends jobs as one batch.
  func send(_ jobs: [ReadJob]) {
    for job in jobs {
      job.start()
      do {
        for query in job.queries where !job.isDone {
          try pipeline.send(query.sql, query.arguments, isQuery: true, job)
        }
      } catch {
        job.fail(error)
      }
    }
    pipeline.sync(nil)
    batches.append(jobs)
    load += jobs.count
  }

  /// Handles the arrived answers.
  ///
  /// - Returns: The jobs to be sent again.
  func receive() -> [ReadJob] {
    var again: [ReadJob] = []
    pipeline.receive { answer in
      switch answer {
      case .command(let job, let result): job?.take(result)
      case .done: break
      case .sync:
        let batch = batches.removeFirst()
        load -= batch.count
        again += batch.filter(\.needsAnother)
      }
    }
    return again
  }

  /// Returns the unanswered jobs of a lost connection.
  func abandon() -> [ReadJob] {
    defer { batches = [] }
    return batches.flatMap { $0 }.filter { !$0.isDone }
  }

  /// Returns a cancel request for a running query whose caller is gone; `nil` if there is none, or
  /// if the last request was too recent.
  ///
  /// The request may arrive late and cancel the next query, which is then sent again.
  func tick(at now: ContinuousClock.Instant) -> Canceller? {
    defer { progressAtTick = pipeline.progress }
    isSlow = !pipeline.isIdle && progressAtTick == pipeline.progress
    guard isSlow, let head = pipeline.head, let job = head, job.isDone,
      lastCancel.map({ now - $0 >= Self.cancelPause }) ?? true, canceller?.isFree == true
    else { return nil }
    lastCancel = now
    return canceller
  }
}
