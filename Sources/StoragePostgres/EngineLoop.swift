internal import CPostgres
internal import DequeModule
internal import Foundation
internal import Glibc
internal import Storage
internal import Synchronization

/// Drives all connections by one `poll`, on the engine's thread. No thread blocks per call.
///
/// While the thread waits and no call is unanswered, it lends the loop to the next caller, who
/// sends the call without waking the thread first. What is confined to the engine's thread is in
/// this sense confined to whoever drives the loop, which is one thread at a time.
// Guard: touched by the engine's thread, and by a caller only between `lend` and `reclaim`, under
// the lock of the loan.
final class EngineLoop: @unchecked Sendable {
  private let engine: Engine
  private var options: PostgresOptions { engine.options }
  /// Slot 0 writes, the others read. The last one is a spare that serves only the read phases of
  /// writes, while all other readers are slow.
  private var slots: [ConnectionSlot]
  private var reads: Deque<ReadJob> = []
  private var writes: WriteQueue
  /// The committed writes whose callers are still to be told. They are told once the loop is lent,
  /// so that a caller who goes on to its next call finds it lent.
  private var stored: [any WriteJob] = []
  /// The number of read phases queued so far.
  private var phases = 0
  private var isClosing = false
  /// Whether the tasks of some writes were canceled, which are still to be answered.
  private var hasForgotten = false
  private var lastTick = ContinuousClock.now
  private var lastMessage = ContinuousClock.now
  /// The largest number of messages taken at a time since the thread last waited with nothing to
  /// do.
  private var messagesAtOnce = 0
  /// Whether the thread waits without a time limit.
  private var isAsleep = false
  /// The polled descriptors: the eventfd, then one per slot.
  private var polls: [pollfd]
  /// The reason why the last connection was lost or refused.
  private var outage: StorageError?

  /// The interval at which timeouts, slow queries and lost connections are handled.
  private static let tick = Duration.milliseconds(50)
  /// How long after the last message the thread still looks at the time, so that it need not be
  /// woken for the timeouts of the next call.
  static let awakeMax = Duration.seconds(1)

  init(_ engine: Engine) {
    self.engine = engine
    writes = WriteQueue(engine.options)
    let now = ContinuousClock.now
    slots = (0...max(1, engine.options.readers) + 1).map { _ in
      ConnectionSlot(state: .down(until: now))
    }
    polls = Array(repeating: pollfd(), count: slots.count + 1)
  }

  /// Runs until the engine is closed and every queued call is answered.
  func run() {
    while true {
      _ = turn()
      if isClosing && isIdle && engine.end() { break }
      wait()
    }
    for write in stored { write.finish(nil) }
    for index in slots.indices { slots[index].close() }
    engine.signal.finish()
  }

  /// Takes the messages and sends what can be sent.
  ///
  /// - Returns: Whether the thread, if it waits meanwhile, waits for the right events.
  func turn() -> Bool {
    let (messages, isClosed) = engine.take(waitingReads: reads.count, waitingWrites: writes.count)
    isClosing = isClosed
    messagesAtOnce = max(messagesAtOnce, messages.count)
    if !messages.isEmpty { lastMessage = .now }
    for message in messages { take(message) }
    if hasForgotten {
      hasForgotten = false
      for phase in writes.forget() { phase.fail(CancellationError()) }
    }
    dispatch()
    for slot in slots { slot.flush() }
    return !isAsleep && !slots.contains { $0.isLost || $0.isSending }
  }

  /// Whether no call is unanswered and no connection attempt is running. One that is still running
  /// while the engine closes is not awaited, since it may wait for standbys without end: its
  /// connection is closed when it comes.
  private var isIdle: Bool {
    guard reads.isEmpty, writes.count == 0 else { return false }
    return slots.allSatisfy { slot in
      switch slot.state {
      case .down: true
      case .connecting: isClosing
      case .writing(let line): line.isIdle
      case .reading(let line): line.load == 0
      }
    }
  }

  private func take(_ message: Engine.Message) {
    switch message {
    case .read(let job): reads.append(job)
    case .forget(let job): job.fail(CancellationError())
    case .write(let job): decide(DecidedWrite(job))
    case .forgetWrites: hasForgotten = true
    case .connected(let index, let link, _) where slots[index].isOutdated:
      slots[index].isOutdated = false
      link.close()
      slots[index].state = .down(until: .now)
    case .connected(let index, let link, _) where index > 0 && isElsewhere(link.place):
      link.close()
      slots[index].state = .down(until: .now + nextPause(&slots[index].pause))
    case .connected(let index, let link, let session):
      leaveOthers(than: link.place)
      slots[index].pause = .zero
      slots[index].connections += 1
      slots[index].state =
        index == 0 ? .writing(WriteLine(link, session)) : .reading(ReadLine(link))
      // Commits of other replicas sent no notification here while disconnected.
      if index == 0 { engine.signal.wake() }
    case .examined(let index, let connection, let works):
      slots[index].isExamined = false
      guard !works, slots[index].connections == connection else { return }
      // An answer may have arrived in the meantime.
      if let silence = slots[index].silence(at: .now), silence > options.doubtMax { lose(index) }
    case .refused(let index, let error):
      outage = error.asOutage
      slots[index].isOutdated = false
      slots[index].state = .down(until: .now + nextPause(&slots[index].pause))
    }
  }

  /// Returns the next reconnection delay: doubles up to one second, with jitter, so that replicas
  /// don't reconnect in step.
  private func nextPause(_ pause: inout Duration) -> Duration {
    pause = min(max(pause * 2, .milliseconds(25)), .seconds(1))
    return pause * Double.random(in: 0.5...1)
  }

  /// Returns whether the write connection is busy on another server, which then is the
  /// authoritative one. A connection that was slow to establish may lead to the previous primary.
  private func isElsewhere(_ place: PostgresLink.Place) -> Bool {
    guard case .writing(let line) = slots[0].state, !line.isIdle else { return false }
    return !line.pipeline.link.place.isSameServer(as: place)
  }

  /// Closes the connections to servers other than the one that a new connection found writable. A
  /// former primary that hung and recovers would answer reads with stale data until it notices that
  /// it was replaced.
  private func leaveOthers(than place: PostgresLink.Place) {
    for index in slots.indices {
      if let other = slots[index].place, !other.isSameServer(as: place) { lose(index) }
    }
  }

  /// Closes the read connections: they may read a commit that the standbys don't have yet, which a
  /// retrying caller would take for acknowledged. A new connection first waits for the standbys.
  private func leaveReaders() {
    for index in slots.indices.dropFirst() {
      if case .connecting = slots[index].state { slots[index].isOutdated = true }
      lose(index)
    }
  }

  // MARK: Sending

  private func dispatch() {
    let now = ContinuousClock.now
    for index in slots.indices {
      guard case .down(let until) = slots[index].state, until <= now else { continue }
      if isWanted(index) {
        slots[index].state = .connecting
        engine.connect(index, index == 0 ? .writer : .reader)
      } else {
        slots[index].pause = .zero
      }
    }
    sendWrites()
    sendReads()
  }

  /// The index of the spare slot, which serves the read phases of writes while slow reads occupy
  /// all readers.
  private var spare: Int { slots.count - 1 }

  private var isEveryReaderSlow: Bool {
    slots[1..<spare].allSatisfy { slot in
      if case .reading(let line) = slot.state { line.isSlow } else { false }
    }
  }

  /// Returns whether a slot should be connected. One read connection suffices until it is busy.
  private func isWanted(_ index: Int) -> Bool {
    if isClosing && isIdle { return false }
    if index == spare { return isEveryReaderSlow }
    return index < 2
      || slots[1..<index].allSatisfy { slot in
        if case .reading(let line) = slot.state { line.isBusy } else { false }
      }
  }

  private func sendWrites() {
    while let write = writes.takeDeferred() { decide(write) }
    guard case .writing(let line) = slots[0].state else { return }
    if let count = line.openCount {
      let more = writes.takeMore(beside: count)
      if !more.isEmpty { line.add(more) }
    }
    while line.canBegin && (line.isIdle || !writes.hasAlone) {
      let (group, isFull) = writes.takeGroup()
      guard let first = group.first else { return }
      if first.isAlone { line.lock(for: first) } else { line.begin(group, isFull: isFull) }
    }
  }

  /// Whether read phases should wait for the spare connection.
  private var isSpareComing: Bool {
    switch slots[spare].state {
    case .connecting: true
    case .reading(let line): !line.isSlow
    case .down, .writing: false
    }
  }

  /// Sends the read phases of writes over the spare connection, so that they don't queue behind
  /// slow reads.
  private func sendPhasesAside() {
    guard !reads.isEmpty, isEveryReaderSlow, case .reading(let line) = slots[spare].state,
      !line.isSlow, line.load < options.readsInFlight
    else { return }
    let phases = reads.filter(\.isPhase).prefix(options.readsInFlight - line.load)
    guard !phases.isEmpty else { return }
    let taken = Set(phases.map(ObjectIdentifier.init))
    reads = Deque(reads.filter { !taken.contains(ObjectIdentifier($0)) })
    line.send(Array(phases))
  }

  private func sendReads() {
    sendPhasesAside()
    let holdsPhases = isEveryReaderSlow && isSpareComing
    var held: [ReadJob] = []
    defer { if !held.isEmpty { reads.prepend(contentsOf: held) } }
    while !reads.isEmpty {
      var best: ReadLine?
      for case .reading(let line) in slots[..<spare].map(\.state)
      where line.load < options.readsInFlight {
        if line.isBetter(than: best) { best = line }
      }
      guard let best else { return }
      // An equal share of the queue per connection, so that all connections work.
      let share = max(1, (reads.count + options.readers - 1) / max(1, options.readers))
      var batch: [ReadJob] = []
      while let job = reads.popFirst() {
        if holdsPhases && job.isPhase {
          held.append(job)
          continue
        }
        if !job.isDone { batch.append(job) }
        if batch.count >= min(share, options.readsInFlight - best.load) { break }
      }
      if !batch.isEmpty { best.send(batch) }
    }
  }

  // MARK: Deciding

  /// Runs a write up to its commit. Its read phases are queued with all other reads.
  private func decide(_ write: DecidedWrite) {
    write.starts += 1
    if write.job.isCancelled { return finish(write, CancellationError()) }
    if write.starts > WriteQueue.startsMax { return finish(write, StorageError.contention) }
    advance(write) { try write.job.start() }
  }

  private func advance(_ write: DecidedWrite, _ stage: () throws -> Stage) {
    do {
      switch try stage() {
      case .read(let queries) where queries.isEmpty:
        advance(write) { try write.job.go(on: ReadResults([])) }
      case .read(let queries): reads.append(phase(of: write, queries))
      case .store(let commit) where commit.isEmpty: finish(write, nil)
      case .store(let commit):
        write.commit = commit
        if let line = lineLocked(for: write) { line.store() } else { writes.append(write) }
      case .done: finish(write, nil)
      }
    } catch {
      finish(write, error)
    }
  }

  /// Returns the job of a read phase. Its result is ignored if the write was restarted meanwhile.
  private func phase(of write: DecidedWrite, _ queries: [AnyQuery]) -> ReadJob {
    let (start, wasDeferred) = (write.starts, write.isDeferred)
    phases += 1
    let number = phases
    let job = ReadJob(
      queries, arrival: write.job.arrival, isPhase: true
    ) { [unowned self] result in
      writes.hasRead(number, wasDeferred: wasDeferred)
      guard write.starts == start else { return }
      switch result {
      case .success(let results): advance(write) { try write.job.go(on: results) }
      case .failure(let error): finish(write, error)
      }
    }
    writes.reads(write, by: job, number)
    return job
  }

  /// Completes a write that has nothing to store.
  private func finish(_ write: DecidedWrite, _ failure: (any Error)?) {
    lineLocked(for: write)?.release()
    write.job.finish(failure)
  }

  private func lineLocked(for write: DecidedWrite) -> WriteLine? {
    guard case .writing(let line) = slots[0].state, line.isLocked(for: write) else { return nil }
    return line
  }

  // MARK: Receiving

  /// Waits for the eventfd, the sockets or the next tick, and handles their events.
  private func wait() {
    polls[0] = pollfd(fd: engine.bell, events: Int16(POLLIN), revents: 0)
    for index in slots.indices { polls[index + 1] = slots[index].poll }
    let isIdle = isIdle
    isAsleep =
      isIdle && slots.allSatisfy { $0.isUp || $0.isUnused }
      && ContinuousClock.now - lastMessage > Self.awakeMax
    // libpq closes the socket of a lost connection, which poll would not report.
    let isAnyLost = slots.contains(where: \.isLost)
    let timeout: Int32 = isAnyLost ? 0 : isAsleep ? -1 : Int32(Self.tick / .milliseconds(1))
    // Calls that arrive together are better sent together, by the thread.
    let isLent = isIdle && !isAnyLost && messagesAtOnce <= 1
    if isIdle { messagesAtOnce = 0 }
    let answered = stored
    stored = []
    if isLent { engine.lend(self) }
    for write in answered { write.finish(nil) }
    _ = poll(&polls, nfds_t(polls.count), timeout)
    engine.reclaim()
    if polls[0].revents != 0 { engine.silence() }
    for index in slots.indices where polls[index + 1].revents != 0 || slots[index].isLost {
      receive(index)
    }
    if ContinuousClock.now - lastTick >= Self.tick { lookAfter() }
  }

  private func receive(_ index: Int) {
    switch slots[index].state {
    case .reading(let line):
      reads.prepend(contentsOf: line.receive())
      if line.pipeline.isLost { lose(index) }
    case .writing(let line):
      for outcome in line.receive() { settle(outcome) }
      if line.pipeline.link.takeNotifications() { engine.signal.wake() }
      if line.pipeline.isLost || line.isUseless { lose(index) }
    case .down, .connecting: break
    }
  }

  private func settle(_ outcome: WriteLine.Outcome) {
    switch outcome {
    case .locked(let write): decide(write)
    case .committed(let group, let hasEvents):
      writes.ended()
      engine.statistics.withLock {
        $0.writes += group.count
        $0.commits += 1
      }
      stored += group.map(\.job)
      if hasEvents { engine.signal.wake() }
    case .unsure(let group, let warning):
      writes.ended()
      let failure = StorageError.indeterminate(.init("the server warned at the commit: \(warning)"))
      leaveReaders()
      for write in group { write.job.finish(failure) }
      engine.signal.wake()
    case .undone(let group, let refused, let failed, let own):
      for write in writes.undone(group, refused: refused, failed: failed, own: own) {
        decide(write)
      }
    }
  }

  /// Handles a lost connection: its reads are sent over other connections; its writes are run again
  /// unless their commit had been sent.
  private func lose(_ index: Int) {
    switch slots[index].state {
    case .reading(let line):
      outage = .unreachable(.init(line.pipeline.link.message))
      reads.prepend(contentsOf: line.abandon())
    case .writing(let line):
      let detail = StorageError.Detail(line.pipeline.link.message)
      let groups = line.abandon()
      if groups.contains(where: { !$0.isUndecided }) { leaveReaders() }
      outage = .unreachable(detail)
      for (group, isUndecided) in groups {
        writes.ended()
        for write in group {
          // The results of reads under the lost lock must be ignored.
          write.starts += 1
          if !isUndecided {
            write.job.finish(StorageError.indeterminate(detail))
          } else if write.isAlone {
            writes.runAlone(write)
          } else {
            decide(write)
          }
        }
      }
    case .down, .connecting: return
    }
    slots[index].close()
    slots[index].state = .down(until: .now + nextPause(&slots[index].pause))
  }

  // MARK: Time

  /// What is known of a connection that is being made: the longest part may be the wait for
  /// standbys (`PostgresSession.open`), which a server may have none of.
  private static let notYet =
    "no connection is ready yet: a new one waits until the server's synchronous standbys, if it "
    + "has any, have all that was committed"

  /// Returns how long a call may wait, and the error after that.
  private func bound(_ isUp: Bool) -> (Duration, StorageError) {
    if isUp { return (options.waitMax, .busy) }
    return (options.outageMax, outage ?? .unreachable(.init(Self.notYet)))
  }

  private func lookAfter() {
    lastTick = .now
    let (readsMax, readsRefusal) = bound(slots[1..<spare].contains(where: \.isUp))
    while let job = reads.first, job.isDone || lastTick - job.arrival > readsMax {
      reads.removeFirst()
      job.fail(readsRefusal)
    }
    let (writesMax, writesRefusal) = bound(slots[0].isUp)
    writes.expire(before: lastTick - writesMax, writesRefusal)
    for index in slots.indices {
      if case .reading(let line) = slots[index].state, let canceller = line.tick(at: lastTick) {
        Thread.detachNewThread { canceller.cancel() }
      }
      guard let silence = slots[index].silence(at: lastTick) else { continue }
      if silence > options.statementMax + options.waitMax {
        lose(index)
      } else if silence > options.doubtMax, !slots[index].isExamined {
        slots[index].isExamined = true
        engine.examine(index, slots[index])
      }
    }
  }
}
