import Synchronization

/// A bounded queue between the reader of a stream and a worker that commits in batches: while the
/// worker commits, the next batch accumulates.
///
/// For a single producer and a single consumer, in two tasks.
final class BatchQueue<Element: Sendable>: Sendable {
  private struct State {
    var elements: [Element] = []
    var end: Result<Void, any Error>?
  }

  private let capacity: Int
  private let state = Mutex(State())
  private let arrived = Signal()
  private let taken = Signal()

  /// - Parameter capacity: Number of queued elements at which `append` suspends.
  init(capacity: Int) { self.capacity = capacity }

  /// Adds an element; suspends while the queue is full.
  ///
  /// - Throws: `CancellationError` where the task was cancelled while the queue was full.
  func append(_ element: Element) async throws {
    while true {
      let isAccepted = state.withLock { state in
        guard state.elements.count < capacity else { return false }
        state.elements.append(element)
        return true
      }
      if isAccepted { return arrived.raise() }
      try Task.checkCancellation()
      await taken.wait()
    }
  }

  /// Marks the end. An error reaches the consumer after the elements that were added before it.
  func finish(throwing error: (any Error)? = nil) {
    state.withLock { state in
      if state.end == nil { state.end = error.map { .failure($0) } ?? .success(()) }
    }
    arrived.raise()
  }

  /// Removes and returns the queued elements, up to `limit`; suspends while there are none. Returns
  /// nil at the end.
  ///
  /// - Throws: The error that the queue was finished with; `CancellationError`.
  func takeAll(limit: Int) async throws -> [Element]? {
    while true {
      let (batch, end) = state.withLock { state in
        let batch = Array(state.elements.prefix(limit))
        state.elements.removeFirst(batch.count)
        return (batch, state.end)
      }
      if !batch.isEmpty {
        taken.raise()
        return batch
      }
      if let end {
        try end.get()
        return nil
      }
      try Task.checkCancellation()
      await arrived.wait()
    }
  }
}
