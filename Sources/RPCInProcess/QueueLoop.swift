import Dispatch
import RPC
import Synchronization

/// A serial dispatch queue as the loop of in-process exchanges.
final class QueueLoop: ExchangeLoop {
  private static let key = DispatchSpecificKey<ObjectIdentifier>()
  private let queue = DispatchQueue(label: "rpc.in-process")
  let decompressionPace = DecompressionPace()
  private let keeps = Mutex<(any AnyObject & Sendable)?>(nil)

  init() { queue.setSpecific(key: Self.key, value: ObjectIdentifier(self)) }

  var isCurrent: Bool { DispatchQueue.getSpecific(key: Self.key) == ObjectIdentifier(self) }

  var kept: (any AnyObject & Sendable)? {
    get { keeps.withLock { $0 } }
    set { keeps.withLock { $0 = newValue } }
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }

  func execute(_ body: @escaping @Sendable () -> Void) { queue.async(execute: body) }

  func schedule(
    after delay: Duration, _ body: @escaping @Sendable () -> Void
  ) -> any ScheduledWork {
    let timer = Timer()
    let nanoseconds = DispatchTimeInterval.nanoseconds(Int(delay.wholeNanoseconds))
    queue.asyncAfter(deadline: .now() + nanoseconds) {
      if !timer.isCancelled.load(ordering: .acquiring) { body() }
    }
    return timer
  }

  private final class Timer: ScheduledWork {
    let isCancelled = Atomic(false)

    func cancel() { isCancelled.store(true, ordering: .releasing) }
  }
}
