internal import Storage

/// A reading connection. What is sent between two syncs is one transaction with one snapshot
/// (`repeatable read`), taken when its first query runs: after every job in it was submitted.
final class ReadLine {
  let pipeline: Pipeline<ReadJob?>
  private var batches: [[ReadJob]] = []
  private var canceller: Canceller?
  private var progressAtTick = -1
  private var lastCancel: ContinuousClock.Instant?

  /// Between two requests: each holds a thread as long as the server takes.
  private static let cancelPause = Duration.milliseconds(500)

  init(_ link: PostgresLink) {
    pipeline = Pipeline(link)
    canceller = link.canceller()
  }

  /// Jobs on their way.
  private(set) var load = 0
  /// The server has not answered anything between the last ticks: others should take what comes.
  private(set) var isSlow = false

  /// Another connection would help.
  var isBusy: Bool { isSlow || load >= Self.busyLoad }

  /// Some round trips' worth of reads.
  private static let busyLoad = 8

  /// Whether it should take what comes, rather than the other.
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

  /// - Returns: jobs to be sent again.
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

  /// Everything that has no answer yet, of a lost connection.
  func abandon() -> [ReadJob] {
    defer { batches = [] }
    return batches.flatMap { $0 }.filter { !$0.isDone }
  }

  /// Now and then: ends a query whose caller has gone and that runs on.
  ///
  /// The request may come late and hit the query behind, which is then sent again.
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
