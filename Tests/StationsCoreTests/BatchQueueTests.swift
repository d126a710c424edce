import Testing

@testable import StationsCore

@Suite struct BatchQueueTests {
  struct Broken: Error {}

  @Test("all elements arrive once and in order, in batches within the limit")
  func order() async throws {
    let queue = BatchQueue<Int>(capacity: 8)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for number in 0..<5_000 { try await queue.append(number) }
        queue.finish()
      }
      var taken: [Int] = []
      while let batch = try await queue.takeAll(limit: 5) {
        #expect(batch.count <= 5)
        taken += batch
      }
      #expect(taken == Array(0..<5_000))
      try await group.waitForAll()
    }
  }

  @Test("an error reaches the consumer after the elements before it")
  func failure() async throws {
    let queue = BatchQueue<Int>(capacity: 8)
    try await queue.append(1)
    queue.finish(throwing: Broken())
    #expect(try await queue.takeAll(limit: 5) == [1])
    await #expect(throws: Broken.self) { try await queue.takeAll(limit: 5) }
  }

  @Test("a cancelled producer or consumer does not wait for ever")
  func cancellation() async throws {
    let full = BatchQueue<Int>(capacity: 1)
    try await full.append(1)
    let empty = BatchQueue<Int>(capacity: 1)
    await withTaskGroup(of: Bool.self) { group in
      group.addTask { (try? await full.append(2)) == nil }
      group.addTask { (try? await empty.takeAll(limit: 1)) == nil }
      group.cancelAll()
      for await hasEnded in group { #expect(hasEnded) }
    }
  }

  @Test("a signal raised before the wait is not lost, and two raises count once")
  func signal() async {
    let signal = Signal()
    signal.raise()
    signal.raise()
    await signal.wait()
    let elapsed = await ContinuousClock().measure { await signal.wait(atMost: .milliseconds(20)) }
    #expect(elapsed >= .milliseconds(20))
  }
}
