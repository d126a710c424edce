import NIOCore
import NIOPosix
import RPC
import Synchronization
import Testing

@testable import RPCTransport

@Suite("Timers of a loop")
struct TimerTests {
  @Test("a heap returns its values in order of time, whatever was removed between")
  func heapOrders() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<50 {
      var heap = TimerHeap<UInt64>()
      let times = (0..<200).map { _ in UInt64.random(in: 0..<100, using: &generator) }
      for time in times { heap.push(time, due: time) }
      heap.removeAll { $0 % 3 == 0 }
      let kept = times.filter { $0 % 3 != 0 }
      #expect(heap.count == kept.count)
      #expect(heap.firstDue == kept.min())
      #expect(heap.pop(due: 0) == nil)
      var taken: [UInt64] = []
      while let next = heap.pop(due: 49) { taken.append(next) }
      #expect(taken == kept.filter { $0 <= 49 }.sorted())
      while let next = heap.pop(due: .max) { taken.append(next) }
      #expect(taken == kept.sorted())
    }
  }

  @Test("work runs in order of its time; cancelled work does not run")
  func runs() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let executor = LoopExecutor(group.next())
    let done = Mutex<[Int]>([])
    await withCheckedContinuation { continuation in
      executor.execute {
        // The later ones first, so that the loop's own timer is moved; many are cancelled. They are
        // so far apart that a thread which the system stops keeps their order.
        let last = executor.schedule(after: .milliseconds(1_000)) {
          done.withLock { $0.append(20) }
          continuation.resume()
        }
        for index in 0..<500 {
          let work = executor.schedule(after: .milliseconds(500)) {
            done.withLock { $0.append(10 + index) }
          }
          if index > 0 { work.cancel() }
          work.cancel()
        }
        _ = executor.schedule(after: .milliseconds(200)) { done.withLock { $0.append(1) } }
        let known = executor.schedule(after: .zero) { done.withLock { $0.append(0) } }
        _ = (last, known)
      }
    }
    #expect(done.withLock { $0 } == [0, 1, 20])
    try await group.shutdownGracefully()
    executor.discardTimers()
  }

  @Test("expensive jobs that wait together leave timers and sockets their turn in between")
  func expensive() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    let executor = LoopExecutor(loop)
    let ran = Mutex(0)
    let (done, last) = AsyncStream<Void>.makeStream()
    let ranBefore = await withCheckedContinuation { continuation in
      executor.execute {
        loop.scheduleTask(in: .zero) { continuation.resume(returning: ran.withLock { $0 }) }
        for _ in 0..<200 {
          Task(executorPreference: executor) { @Sendable in
            let end = ContinuousClock.now + .microseconds(500)
            while ContinuousClock.now < end {}
            if ran.withLock({ ran in
              ran += 1
              return ran == 200
            }) {
              last.finish()
            }
          }
        }
      }
    }
    // The clock is looked at after the first, second, fourth and eighth job; all take 100 ms.
    #expect(ranBefore <= 8)
    for await _ in done {}
    try await group.shutdownGracefully()
    executor.discardTimers()
  }

  @Test("jobs that have run are not kept, even if there is always a next one")
  func forgets() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let executor = LoopExecutor(group.next())
    let kept = await Task(executorPreference: executor) { @Sendable in
      for _ in 0..<20_000 { await Task.yield() }
      return executor.jobsKept
    }.value
    // As many run in one turn, with the next one behind them.
    #expect(kept <= 1_025)
    try await group.shutdownGracefully()
    executor.discardTimers()
  }
}
