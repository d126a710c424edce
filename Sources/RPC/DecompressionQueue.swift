internal import DequeModule

/// Serializes the decompression of large messages of one connection: one at a time, first come
/// first served, in parts that its loop spaces out (``DecompressionPace``), so that a peer that
/// sends many does not occupy the event loop. Confined to the loop.
package final class DecompressionQueue: @unchecked Sendable {
  // Guard: all mutable state is touched on the loop only.

  private unowned let loop: any ExchangeLoop
  private var isTaken = false
  private var waiting: Deque<UnsafeContinuation<Void, Never>> = []

  package init(loop: any ExchangeLoop) { self.loop = loop }

  /// Waits for its turn, whether or not the task is cancelled meanwhile: the turn finds out.
  nonisolated(nonsending) func begin() async {
    if isTaken {
      await withUnsafeContinuation { waiting.append($0) }
    } else {
      isTaken = true
    }
  }

  func end() {
    if let next = waiting.popFirst() { next.resume() } else { isTaken = false }
  }

  /// Waits until the loop may spend time on the next part.
  nonisolated(nonsending) func pause() async {
    await withUnsafeContinuation { continuation in
      _ = loop.schedule(after: loop.decompressionPace.delay(at: .now)) { continuation.resume() }
    }
  }
}

/// Spaces out the parts of large messages that a loop decompresses, over all its connections: with
/// however many, others have half of the loop's time between two parts. Confined to the loop.
package final class DecompressionPace: @unchecked Sendable {
  // Guard: all mutable state is touched on the loop only.

  /// From one part to the next: twice what a part takes.
  private static let spacing: Duration = .microseconds(200)

  private var last = Moment.now

  package init() {}

  /// Reserves the time of the next part.
  /// - Returns: How long it has to wait.
  func delay(at now: Moment) -> Duration {
    last = max(last, now) + Self.spacing
    return last - now
  }
}
