import Logging
import Synchronization

/// A bounded queue of work that is done after the response was sent, some of it concurrently.
///
/// Safe to use from any task.
final class Errands: Sendable {
  typealias Errand = @Sendable () async throws -> Void

  /// Limit of queued and running errands together.
  private static let countMax = 256

  private let atOnceMax: Int
  private let count = Atomic<Int>(0)
  private let queue: AsyncStream<Errand>
  private let entrance: AsyncStream<Errand>.Continuation

  /// - Parameter atOnceMax: Errands that run concurrently, so that a slow one does not delay the
  ///   others.
  init(atOnceMax: Int = 32) {
    self.atOnceMax = atOnceMax
    (queue, entrance) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.countMax))
  }

  /// Whether another errand would be accepted.
  var hasRoom: Bool { count.load(ordering: .relaxed) < Self.countMax }

  /// Queues an errand; returns false where the queue is full.
  @discardableResult
  func add(_ errand: @escaping Errand) -> Bool {
    guard count.add(1, ordering: .relaxed).newValue <= Self.countMax,
      case .enqueued = entrance.yield(errand)
    else {
      count.subtract(1, ordering: .relaxed)
      return false
    }
    return true
  }

  /// Runs errands until the task is cancelled.
  func run(logger: Logger) async {
    await withTaskGroup(of: Void.self) { group in
      var running = 0
      for await errand in queue {
        if running == atOnceMax {
          await group.next()
          running -= 1
        }
        running += 1
        group.addTask {
          do {
            try await errand()
          } catch {
            logger.warning("work after an answer failed", metadata: ["cause": "\(error)"])
          }
          self.count.subtract(1, ordering: .relaxed)
        }
      }
    }
  }
}
