import Logging
import Synchronization

/// Work that is done after the answer: a bounded queue, done some at a time while the gateway runs.
///
/// Safe to use from any task.
final class Errands: Sendable {
  typealias Errand = @Sendable () async throws -> Void

  /// What waits or is being done.
  private static let countMax = 256

  private let atOnceMax: Int
  private let count = Atomic<Int>(0)
  private let queue: AsyncStream<Errand>
  private let entrance: AsyncStream<Errand>.Continuation

  /// - Parameter atOnceMax: Done at the same time: one that takes long keeps no other waiting.
  init(atOnceMax: Int = 32) {
    self.atOnceMax = atOnceMax
    (queue, entrance) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.countMax))
  }

  /// Whether there is room for another now.
  var hasRoom: Bool { count.load(ordering: .relaxed) < Self.countMax }

  /// Has it done later; false where there is no room.
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

  /// Runs until its task is cancelled.
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
