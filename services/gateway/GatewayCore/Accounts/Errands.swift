import Logging

/// Work that is done after the answer: a bounded queue, done one by one while the gateway runs.
struct Errands: Sendable {
  /// What waits; more is dropped, and who waits for a code asks for another.
  private static let waitingMax = 256

  typealias Errand = @Sendable () async throws -> Void

  private let queue: AsyncStream<Errand>
  private let entrance: AsyncStream<Errand>.Continuation

  init() {
    (queue, entrance) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.waitingMax))
  }

  func add(_ errand: @escaping Errand) { entrance.yield(errand) }

  /// Runs until its task is cancelled.
  func run(logger: Logger) async {
    for await errand in queue {
      do {
        try await errand()
      } catch {
        logger.warning("work after an answer failed", metadata: ["cause": "\(error)"])
      }
    }
  }
}
