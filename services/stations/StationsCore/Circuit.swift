/// Whether a call to a service that fails is worth trying: after a failure nobody calls for a
/// while, then one call tries, and the while doubles as long as it fails. Pure: instants come from
/// outside.
struct Circuit: Sendable, Hashable {
  /// The first pause after a failure.
  static let pauseFirst = Duration.seconds(1)
  /// The longest pause.
  static let pauseMax = Duration.seconds(30)

  private var pause: Duration?
  private var retryAt: ContinuousClock.Instant?
  private var isTrying = false

  init() {}

  /// Whether to call now. Where it says so after a failure, it does to one caller only.
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

  /// The call was given up for another reason than the service's.
  mutating func abandoned() { isTrying = false }
}
