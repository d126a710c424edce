import NIOCore
import RPC

/// The timers of an event loop. Most are deadlines, one for each call, and nearly all are
/// cancelled. So cancelling only marks an entry, and one timer of the event loop serves all of
/// them. Confined to the loop.
final class LoopTimers: @unchecked Sendable {
  // Guard: all mutable state is touched on `eventLoop` only.

  /// Cancelled entries are removed when there are more than this and than half of all.
  private static let cancelledMax = 64

  private let eventLoop: any EventLoop
  @exclusivity(unchecked) private var heap = TimerHeap<Work>()
  @exclusivity(unchecked) private var cancelled = 0
  @exclusivity(unchecked) private var armed: (due: UInt64, timer: Scheduled<Void>)?

  /// One piece of work. Guard: its state is touched on the loop only.
  final class Work: ScheduledWork, @unchecked Sendable {
    private let timers: LoopTimers
    @exclusivity(unchecked) private var body: (@Sendable () -> Void)?

    fileprivate init(_ timers: LoopTimers, _ body: @escaping @Sendable () -> Void) {
      self.timers = timers
      self.body = body
    }

    func cancel() {
      if timers.eventLoop.inEventLoop {
        if take() != nil { timers.cancelledOne() }
      } else {
        timers.eventLoop.execute { self.cancel() }
      }
    }

    var isCancelled: Bool { body == nil }

    /// Returns the work to run, once.
    fileprivate func take() -> (@Sendable () -> Void)? {
      defer { body = nil }
      return body
    }
  }

  init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  /// Schedules work to run after `delay`. Call on the loop.
  func schedule(after delay: TimeAmount, _ body: @escaping @Sendable () -> Void) -> Work {
    let work = Work(self, body)
    heap.push(work, due: (NIODeadline.now() + delay).uptimeNanoseconds)
    arm()
    return work
  }

  /// Drops all work: entries hold their timers, and what waits to run holds more. Call once the
  /// loop's thread has ended.
  func discard() {
    heap = TimerHeap()
    cancelled = 0
    armed = nil
  }

  private func cancelledOne() {
    cancelled += 1
    guard cancelled > Self.cancelledMax, cancelled > heap.count / 2 else { return }
    heap.removeAll(where: \.isCancelled)
    cancelled = 0
  }

  /// Schedules the event loop's timer for the first entry.
  private func arm() {
    guard let due = heap.firstDue else { return }
    if let armed {
      if armed.due <= due { return }
      armed.timer.cancel()
    }
    armed = (
      due, eventLoop.scheduleTask(deadline: .uptimeNanoseconds(due)) { self.fire() }
    )
  }

  private func fire() {
    armed = nil
    let now = NIODeadline.now().uptimeNanoseconds
    while let work = heap.pop(due: now) {
      if let body = work.take() { body() } else { cancelled -= 1 }
    }
    arm()
  }
}

/// A binary heap of values by the time they are due. A pure value.
struct TimerHeap<Value> {
  private var entries: [(due: UInt64, value: Value)] = []

  var count: Int { entries.count }

  /// When the first value is due.
  var firstDue: UInt64? { entries.first?.due }

  mutating func push(_ value: Value, due: UInt64) {
    var index = entries.count
    entries.append((due, value))
    // Later entries are usually due later, and then stay in place.
    while index > 0, entries[(index - 1) / 2].due > due {
      entries.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  /// Removes and returns the first value, if it is due.
  mutating func pop(due now: UInt64) -> Value? {
    guard let first = entries.first, first.due <= now else { return nil }
    let last = entries.removeLast()
    if !entries.isEmpty {
      entries[0] = last
      sink(from: 0)
    }
    return first.value
  }

  mutating func removeAll(where isUnwanted: (Value) -> Bool) {
    entries.removeAll { isUnwanted($0.value) }
    for index in stride(from: entries.count / 2 - 1, through: 0, by: -1) { sink(from: index) }
  }

  private mutating func sink(from start: Int) {
    var index = start
    while true {
      var least = index
      let left = 2 * index + 1
      if left < entries.count, entries[left].due < entries[least].due { least = left }
      let right = left + 1
      if right < entries.count, entries[right].due < entries[least].due { least = right }
      if least == index { return }
      entries.swapAt(index, least)
      index = least
    }
  }
}
