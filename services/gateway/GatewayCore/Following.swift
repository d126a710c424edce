import Logging

/// Follows a feed until the task is cancelled: begins again, with growing pauses, whatever fails.
struct Following: Sendable {
  private static let pauseFirst = Duration.milliseconds(100)

  /// What is followed, as the log calls it.
  let name: String
  let pauseMax: Duration
  let logger: Logger

  /// - Parameters:
  ///   - follow: Follows the feed to its end. Says when the feed is served, after which pauses
  ///     begin small again.
  ///   - goesOn: Told of each end, with the error where one was the end; whether to begin again.
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
      // The pause between attempts is time itself; ± 20 %, so that gateways don't come at once.
      try? await Task.sleep(for: pause * Double.random(in: 0.8...1.2))
      pause = min(pause * 2, pauseMax)
    }
  }
}
