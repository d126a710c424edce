import Synchronization

/// The token bucket of a channel's retries and hedges. Safe to use from any task.
package final class RetryThrottle: Sendable {
  // In thousandths of a token, since gRFC A6 allows three decimal places.
  private let tokensMax: Int
  private let ratio: Int
  private let tokens: Mutex<Int>

  package init(_ throttling: RetryThrottling) {
    tokensMax = Int(throttling.tokensMax * 1000)
    // More than the bucket holds would be of no use, and may be more than an integer holds.
    ratio = Int(min(throttling.tokenRatio, throttling.tokensMax) * 1000)
    tokens = Mutex(tokensMax)
  }

  /// Whether retries and hedges are allowed.
  package var isOpen: Bool { tokens.withLock { $0 > tokensMax / 2 } }

  /// Takes a token: an attempt failed with a retryable status, or its pushback forbids further
  /// ones.
  package func failed() { tokens.withLock { $0 = max(0, $0 - 1000) } }

  /// Puts `tokenRatio` tokens back: a call has succeeded.
  /// Source: gRFC A6, throttling.
  package func succeeded() { tokens.withLock { $0 = min(tokensMax, $0 + ratio) } }
}
