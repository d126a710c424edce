import TestWaiting
import Testing

@testable import RPC
@testable import RPCTransport

@Suite("Large messages of one connection", .timeLimit(.minutes(1)))
struct LargeMessageQueueTests {
  private static let large = MessageFramer.largeBytes + 1

  /// Guard: touched on the loop only.
  private final class Log: @unchecked Sendable {
    var entries: [String] = []
  }

  @Test("have their turns in order, on another thread; whoever gives up leaves the queue at once")
  func turns() async throws {
    let loop = EventLoops(threads: 1).all[0]
    let queue = LargeMessageQueue(loop: loop)
    let log = Log()
    try await withTaskExecutorPreference(loop) {
      let hasBegun = WaitPoint(loop: loop)
      let goesOn = WaitPoint(loop: loop)
      let first = Task(executorPreference: loop) {
        try await queue.begin()
        hasBegun.signal()
        await goesOn.wait()
        log.entries.append("first")
        queue.end()
      }
      await hasBegun.wait()
      let tasks = ["second", "third"].map { name in
        Task(executorPreference: loop) {
          let isOnLoop = try await queue.run(onBytes: Self.large) { loop.isCurrent }
          log.entries.append("\(name) \(isOnLoop) \(loop.isCurrent)")
        }
      }
      // A message that is not large waits for nobody.
      let isHere = try await queue.run(onBytes: 1) { loop.isCurrent }
      #expect(isHere)
      tasks[0].cancel()
      await #expect(throws: CancellationError.self) { try await tasks[0].value }
      #expect(log.entries.isEmpty)
      goesOn.signal()
      _ = await first.result
      _ = await tasks[1].result
      #expect(log.entries == ["first", "third false true"])
    }
  }
}
