import HTTP2
import NIOCore
import NIOPosix
import RPC
import Synchronization

/// An event loop as a task executor that flushes each connection once per batch of jobs.
///
/// Jobs enqueued while a connection is read run when its read is complete. Their output is written,
/// with one write per connection, when the loop has handled all ready sockets: this batches what
/// many callers ask of one backend, and what one backend answers to many. There is no timer; under
/// load it is also written before each poll. Jobs may be enqueued from any thread.
final class LoopExecutor: ExchangeLoop, @unchecked Sendable {
  // Guard: all mutable state is touched on `eventLoop` only, but for `remote`, which has a lock.

  /// The most jobs run before the loop polls its sockets and timers again.
  private static let jobsMax = 1024
  /// The time, in nanoseconds, after which it polls them all the same: jobs may be expensive, and
  /// each may enqueue the next, as the requests do that a client sends behind each other over
  /// HTTP/1.1.
  static let jobsNanosecondsMax: UInt64 = 2_000_000
  /// The most jobs between two looks at the clock; it is looked at after the first, second and
  /// fourth as well.
  private static let jobsPerLook = 8
  /// SwiftNIO drains its task queue completely before it polls its sockets, so jobs that enqueue
  /// jobs would starve I/O. Work that the last task of the queue schedules this much later runs
  /// after the next poll, unless the loop takes longer than that to look at its queue again.
  private static let breather: Int64 = 20_000
  /// The longest breather, for loops that are slowed down: by a sanitizer, or by the machine.
  private static let breatherMax: Int64 = 250_000

  let eventLoop: any EventLoop
  @exclusivity(unchecked) private var jobs: [UnownedJob] = []
  @exclusivity(unchecked) private var nextJob = 0
  @exclusivity(unchecked) private var dirty: [Connection] = []
  @exclusivity(unchecked) private var flushing: [Connection] = []
  @exclusivity(unchecked) private var isRunning = false
  @exclusivity(unchecked) private var isScheduled = false
  /// Whether a connection is between channelRead and channelReadComplete, which runs the jobs.
  @exclusivity(unchecked) private var isReading = false
  /// The number of times that the loop has handled all ready sockets.
  @exclusivity(unchecked) private(set) var round: UInt64 = 0
  @exclusivity(unchecked) private var isRoundUnderWay = false
  @exclusivity(unchecked) private var turns = ReadingTurns()
  @exclusivity(unchecked) private var isTurnScheduled = false
  /// What waits for the next poll.
  @exclusivity(unchecked) private var deferred: [@Sendable () -> Void] = []
  @exclusivity(unchecked) private var isDeferredScheduled = false
  /// When the current read began, in nanoseconds of the loop's clock.
  @exclusivity(unchecked) private var readAt: UInt64 = 0
  /// When the first read began whose output was not written yet.
  @exclusivity(unchecked) private var heldSince: UInt64 = 0
  /// The buffer for connections' output; one per loop, so that idle connections hold none.
  @exclusivity(unchecked) var output = ByteBuffer()
  @exclusivity(unchecked) var outbound = OutboundLists()
  @exclusivity(unchecked) var kept: (any AnyObject & Sendable)?
  /// The allocator of the sessions of all connections on the loop.
  let sessionMemory = SessionMemory()
  let decompressionPace = DecompressionPace()
  private let remote = Mutex<[UnownedJob]>([])
  private(set) lazy var handlers = CallWorkers(loop: self)

  private let timers: LoopTimers

  init(_ eventLoop: any EventLoop) {
    self.eventLoop = eventLoop
    timers = LoopTimers(eventLoop)
  }

  var isCurrent: Bool { eventLoop.inEventLoop }

  /// The number of jobs kept, whether or not they have run. For tests.
  var jobsKept: Int { jobs.count }

  var workers: CallWorkers? { handlers }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if eventLoop.inEventLoop {
      jobs.append(job)
      scheduleRun()
    } else {
      let isFirst = remote.withLock { remote in
        remote.append(job)
        return remote.count == 1
      }
      if isFirst { eventLoop.execute { self.run() } }
    }
  }

  func execute(_ body: @escaping @Sendable () -> Void) { eventLoop.execute(body) }

  func schedule(
    after delay: Duration, _ body: @escaping @Sendable () -> Void
  ) -> any ScheduledWork {
    if eventLoop.inEventLoop { return timers.schedule(after: TimeAmount(delay), body) }
    return Timer(scheduled: eventLoop.scheduleTask(in: TimeAmount(delay), body))
  }

  /// Drops the work whose time never comes. Call once the loop's thread has ended.
  func discardTimers() { timers.discard() }

  nonisolated(nonsending) func offload<Result: Sendable>(
    _ work: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    try await LargeWork.pool.runIfActive(work)
  }

  /// Calls `body` once the loop has polled its sockets. Call on the loop.
  func afterPoll(_ body: @escaping @Sendable () -> Void) {
    deferred.append(body)
    if !isRunning { scheduleDeferred() }
  }

  /// Schedules what was deferred, all of it at once, and not before the current jobs have run: a
  /// time for each would pass while the jobs of the others run, so that there is always one more
  /// to run before the loop polls its sockets.
  private func scheduleDeferred() {
    guard !deferred.isEmpty, !isDeferredScheduled else { return }
    isDeferredScheduled = true
    scheduleAfterPoll {
      let due = self.deferred
      self.deferred = []
      for body in due { body() }
      self.isDeferredScheduled = false
      self.scheduleDeferred()
    }
  }

  /// Schedules `body` for the time after the next poll. How long the loop takes from one task to
  /// the next is measured first, since a breather that is over by then is none: with a fixed one, a
  /// slow loop would never poll while there is always a next job.
  private func scheduleAfterPoll(_ body: @escaping @Sendable () -> Void) {
    let asked = NIODeadline.now()
    eventLoop.execute {
      let now = NIODeadline.now()
      let breather = min(max(Self.breather, 8 * (now - asked).nanoseconds), Self.breatherMax)
      self.eventLoop.scheduleTask(deadline: now + .nanoseconds(breather), body)
    }
  }

  /// Schedules a flush of the connection after the current jobs.
  func markDirty(_ connection: Connection) {
    dirty.append(connection)
    scheduleRun()
  }

  /// Marks the start of a read: jobs wait for `endRead`.
  /// - Parameter now: Nanoseconds of the loop's clock.
  func beginRead(at now: UInt64) {
    if !isReading, dirty.isEmpty { heldSince = now }
    isReading = true
    readAt = now
    beginRound()
  }

  private func beginRound() {
    guard !isRoundUnderWay else { return }
    isRoundUnderWay = true
    eventLoop.execute {
      self.isRoundUnderWay = false
      self.round &+= 1
      self.giveTurns()
      self.run()
    }
  }

  /// Marks the end of a read: runs the jobs, and flushes if other connections were read for long
  /// enough before.
  func endRead() {
    isReading = false
    run(flushes: readAt &- heldSince > ReadSize.turnNanosecondsMax)
  }

  /// Marks that the connection being read is gone: nothing waits for the end of its read.
  func abandonRead() {
    guard isReading else { return }
    isReading = false
    if nextJob < jobs.count || !dirty.isEmpty { scheduleRun() }
  }

  /// Returns whether a connection may be read at once; if not, its `turnCame()` is called later.
  func admit(_ connection: Connection) -> Bool {
    if turns.admit(connection) { return true }
    // The last read may have been only a part of a TLS record, which begins no round.
    beginRound()
    return false
  }

  /// Releases the time granted to a connection that takes its turn, or no longer needs it.
  func redeem(_ connection: Connection) { turns.redeem(connection) }

  /// Reads the connections whose turn it is. Those that still wait follow after the next round, or
  /// soon.
  private func giveTurns() {
    guard !turns.isEmpty else { return }
    for connection in turns.next() { connection.turnCame() }
    guard !turns.isEmpty, !isTurnScheduled else { return }
    isTurnScheduled = true
    scheduleAfterPoll {
      self.isTurnScheduled = false
      self.giveTurns()
    }
  }

  private func scheduleRun() {
    // The end of a round runs the jobs anyway.
    guard !isRunning, !isScheduled, !isReading, !isRoundUnderWay else { return }
    isScheduled = true
    eventLoop.execute {
      self.isScheduled = false
      self.run()
    }
  }

  /// Runs jobs and flushes connections until nothing is left or too many jobs have run. Those that
  /// are left then run after the next poll.
  /// - Parameter flushes: Whether to flush in this run; if not, that follows when the loop has
  ///   handled its sockets.
  private func run(flushes: Bool = true) {
    guard !isRunning else { return }
    isRunning = true
    let executor = asUnownedTaskExecutor()
    var count = 0
    var began: UInt64 = 0
    takeRemote()
    while count < Self.jobsMax {
      if nextJob < jobs.count {
        let job = jobs[nextJob]
        nextJob += 1
        count += 1
        job.runSynchronously(on: executor)
        if count % Self.jobsPerLook == 0 || count & (count - 1) == 0 {
          let now = NIODeadline.now().uptimeNanoseconds
          if began == 0 { began = now }
          if now &- began > Self.jobsNanosecondsMax { count = Self.jobsMax }
        }
      } else if flushes, !dirty.isEmpty {
        flushDirty()
      } else {
        break
      }
      if nextJob == jobs.count {
        jobs.removeAll(keepingCapacity: true)
        nextJob = 0
      }
    }
    if count >= Self.jobsMax {
      // Under load there is always a next job: the output of those that have run does not wait for
      // the last one, and they are not kept until then.
      if flushes { flushDirty() }
      jobs.removeFirst(nextJob)
      nextJob = 0
    }
    isRunning = false
    scheduleDeferred()
    guard nextJob < jobs.count || !dirty.isEmpty, !isScheduled else { return }
    guard count >= Self.jobsMax else { return scheduleRun() }
    isScheduled = true
    scheduleAfterPoll {
      self.isScheduled = false
      self.run()
    }
  }

  private func takeRemote() {
    remote.withLock { remote in
      jobs.append(contentsOf: remote)
      remote.removeAll(keepingCapacity: true)
    }
  }

  private func flushDirty() {
    swap(&dirty, &flushing)
    for connection in flushing { connection.flush() }
    flushing.removeAll(keepingCapacity: true)
  }

  private struct Timer: ScheduledWork {
    let scheduled: Scheduled<Void>

    func cancel() { scheduled.cancel() }
  }
}
