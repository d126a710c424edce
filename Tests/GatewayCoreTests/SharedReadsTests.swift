import ServiceKit
import Storage
import Testing

@testable import GatewayCore

@Suite("Reads that callers share", .timeLimit(.minutes(2)))
struct SharedReadsTests {
  private let reads = SharedReads<String, Int>(atMost: 1)
  private let begun = Counter()

  @Test("callers with one key share a read, whatever the limit")
  func shared() async throws {
    let asked = Counter()
    let callers = 200
    let values = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<callers {
        group.addTask { [reads, begun] in
          asked.add()
          return try await reads.value(of: "key") {
            begun.add()
            let number = begun.value
            await asked.reaches(callers)
            return number
          }
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(values.count == callers)
    #expect(Set(values) == Set(1...begun.value), "each has the result of a read")
    #expect(begun.value < callers / 2)
  }

  @Test("another key is refused at the limit, and served after the read")
  func limit() async throws {
    let held = Task { [reads, begun] in
      try await reads.value(of: "key") {
        begun.add()
        await untilCancelled()
        return 1
      }
    }
    await begun.reaches(1)
    await #expect(throws: CommonFailure.storageBusy) { try await reads.value(of: "other") { 2 } }
    held.cancel()
    #expect(try await held.value == 1)
    #expect(try await reads.value(of: "other") { 2 } == 2)
  }

  @Test("a read that is cancelled is done by one who waits for it")
  func taken() async throws {
    let first = Task { [reads, begun] in
      try await reads.value(of: "key") {
        begun.add()
        await untilCancelled()
        throw CancellationError()
      }
    }
    await begun.reaches(1)
    let asked = Counter()
    let second = Task { [reads] in
      asked.add()
      return try await reads.value(of: "key") { 2 }
    }
    await asked.reaches(1)
    first.cancel()
    #expect(try await second.value == 2)
    await #expect(throws: CancellationError.self) { try await first.value }
  }

  @Test("a caller whose wait is cancelled does not wait for the read's end")
  func left() async throws {
    let first = Task { [reads, begun] in
      try await reads.value(of: "key") {
        begun.add()
        await untilCancelled()
        return 1
      }
    }
    await begun.reaches(1)
    let second = Task { [reads] in try await reads.value(of: "key") { 2 } }
    second.cancel()
    await #expect(throws: CancellationError.self) { try await second.value }
    first.cancel()
    #expect(try await first.value == 1)
  }

  @Test("a failed read fails for all, and the next caller reads anew")
  func failed() async throws {
    let asked = Counter()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<20 {
        group.addTask { [reads] in
          asked.add()
          await #expect(throws: StorageError.closed) {
            try await reads.value(of: "key") {
              await asked.reaches(20)
              throw StorageError.closed
            }
          }
        }
      }
    }
    #expect(try await reads.value(of: "key") { 3 } == 3)
  }
}
