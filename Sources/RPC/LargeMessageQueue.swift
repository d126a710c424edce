internal import DequeModule

/// The large messages of one connection, one at a time, first come first served, so that a peer
/// that sends many does not occupy the event loop: they are decompressed in parts that the loop
/// spaces out (``DecompressionPace``), and decoded on another thread. Confined to the loop.
@usableFromInline
package final class LargeMessageQueue: @unchecked Sendable {
  // Guard: all mutable state is touched on the loop only.

  private unowned let loop: any ExchangeLoop
  private var isTaken = false
  private var waiting: Deque<Turn> = []

  /// A task that waits.
  private final class Turn {
    let point: WaitPoint
    var hasCome = false
    var isGivenUp = false

    init(_ loop: any ExchangeLoop) { point = WaitPoint(loop: loop) }
  }

  package init(loop: any ExchangeLoop) { self.loop = loop }

  /// Waits for its turn.
  /// - Throws: An error if the task is cancelled meanwhile: what waits with it is released at once.
  nonisolated(nonsending) func begin() async throws(CancellationError) {
    guard isTaken else {
      isTaken = true
      return
    }
    let turn = Turn(loop)
    waiting.append(turn)
    while !turn.hasCome {
      if Task.isCancelled {
        turn.isGivenUp = true
        throw CancellationError()
      }
      await turn.point.wait()
    }
  }

  func end() {
    while let next = waiting.popFirst() {
      if next.isGivenUp { continue }
      next.hasCome = true
      return next.point.signal()
    }
    isTaken = false
  }

  /// Runs work on a message of so many bytes: at once, or, if it is larger than
  /// ``MessageFramer/largeBytes``, on another thread when its turn has come. On the loop.
  /// - Throws: The error of the work, or `CancellationError`.
  package nonisolated(nonsending) func run<Result: Sendable>(
    onBytes count: Int, _ work: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    guard count > MessageFramer.largeBytes else { return try work() }
    try await begin()
    defer { end() }
    return try await loop.offload(work)
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
