internal import DequeModule

/// Serializes the decompression of large messages of one connection: one at a time, first come
/// first served, with pauses in between, so that a peer that sends many does not occupy the whole
/// event loop. Confined to the loop.
package final class UnpackingTurns: @unchecked Sendable {
  // Guard: all mutable state is touched on the loop only.

  /// The time for others after each part. Longer than a part takes, and little beside what it takes
  /// to send a message that is as large.
  private static let pauseTime: Duration = .microseconds(250)

  private unowned let loop: any ExchangeLoop
  private var isTaken = false
  private var waiting: Deque<UnsafeContinuation<Void, Never>> = []

  package init(loop: any ExchangeLoop) { self.loop = loop }

  /// Waits for its turn, whatever happens to the task meanwhile: that is seen in the turn.
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

  /// Lets others of the loop have theirs.
  nonisolated(nonsending) func pause() async {
    await withUnsafeContinuation { continuation in
      _ = loop.schedule(after: Self.pauseTime) { continuation.resume() }
    }
  }
}
