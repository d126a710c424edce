/// A circuit breaker: after a failure no call is made for a pause, then one probe, and the pause
/// doubles with each failed probe. A pure value: instants come from outside.
struct Circuit: Sendable, Hashable {
  /// The first pause after a failure.
  static let pauseFirst = Duration.seconds(1)
  /// The longest pause.
  static let pauseMax = Duration.seconds(30)

  private var pause: Duration?
  private var retryAt: ContinuousClock.Instant?
  private var isTrying = false

  init() {}

  /// Whether to make a call. While the circuit is open, one caller is allowed through after the
  /// pause.
  mutating func allowsCall(at now: ContinuousClock.Instant) -> Bool {
    guard let retryAt else { return true }
    guard now >= retryAt, !isTrying else { return false }
    isTrying = true
    return true
  }

  mutating func succeeded() { self = Circuit() }

  mutating func failed(at now: ContinuousClock.Instant) {
    let next = pause.map { min($0 * 2, Self.pauseMax) } ?? Self.pauseFirst
    pause = next
    retryAt = now + next
    isTrying = false
  }

  /// Records that a call was abandoned for a reason that says nothing about the service.
  mutating func abandoned() { isTrying = false }
}
