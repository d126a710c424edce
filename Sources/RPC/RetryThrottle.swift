import Synchronization

/// The tokens a channel's retries draw on. Safe to use from any task.
package final class RetryThrottle: Sendable {
  // In thousandths: gRFC A6 allows three decimal places.
  private let tokensMax: Int
  private let ratio: Int
  private let tokens: Mutex<Int>

  package init(_ throttling: RetryThrottling) {
    tokensMax = Int(throttling.tokensMax * 1000)
    ratio = Int(throttling.tokenRatio * 1000)
    tokens = Mutex(tokensMax)
  }

  /// Whether there may be retries and hedges.
  package var isOpen: Bool { tokens.withLock { $0 > tokensMax / 2 } }

  /// An attempt failed with a status that is retried, or the server asked for no retry.
  package func failed() { tokens.withLock { $0 = max(0, $0 - 1000) } }

  /// A call was answered.
  package func succeeded() { tokens.withLock { $0 = min(tokensMax, $0 + ratio) } }
}
