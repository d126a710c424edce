import Logging

/// Runs a feed consumer until the task is cancelled; restarts it with exponential backoff when it
/// ends or fails.
struct Following: Sendable {
  private static let pauseFirst = Duration.milliseconds(100)

  /// The feed's name in the log.
  let name: String
  let pauseMax: Duration
  let logger: Logger

  /// Runs until the task is cancelled or `goesOn` returns false.
  /// - Parameters:
  ///   - follow: Consumes the feed to its end. Calls its argument once the feed is known to be
  ///     served, which resets the backoff.
  ///   - goesOn: Called at each end, with the error if there was one; returns whether to restart.
  func run(
    _ follow: (_ isServed: () -> Void) async throws -> Void, goesOn: ((any Error)?) -> Bool
  ) async {
    var pause = Self.pauseFirst
    while !Task.isCancelled {
      var failure: (any Error)?
      do {
        try await follow { pause = Self.pauseFirst }
      } catch {
        failure = error
      }
      guard !Task.isCancelled, goesOn(failure) else { return }
      if let failure {
        logger.warning("\(name) failed", metadata: ["cause": "\(failure)"])
      } else {
        logger.info("\(name) ended; beginning again")
      }
      // A real sleep between attempts; ± 20 % jitter, so that gateways do not reconnect in step.
      try? await Task.sleep(for: pause * Double.random(in: 0.8...1.2))
      pause = min(pause * 2, pauseMax)
    }
  }
}
