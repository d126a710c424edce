public import Logging
public import RPC

/// Runs a feed consumer until the task is cancelled; restarts it with exponential backoff when it
/// ends or fails.
public struct FeedLoop: Sendable {
  private static let pauseFirst = Duration.milliseconds(100)

  private let name: String
  private let pauseMax: Duration
  private let logger: Logger

  /// - Parameters:
  ///   - name: The feed's name in the log.
  ///   - pauseMax: The longest pause between two attempts.
  public init(name: String, pauseMax: Duration, logger: Logger) {
    self.name = name
    self.pauseMax = pauseMax
    self.logger = logger
  }

  /// Runs until the task is cancelled or `goesOn` returns false.
  ///
  /// - Parameters:
  ///   - follow: Consumes the feed to its end. Calls its argument once the feed is known to be
  ///     served, which resets the backoff.
  ///   - goesOn: Called at each end, with the error if there was one; returns whether to restart.
  public func run(
    _ follow: (_ isServed: () -> Void) async throws -> Void,
    goesOn: ((any Error)?) async -> Bool
  ) async {
    var pause = Self.pauseFirst
    while !Task.isCancelled {
      var failure: (any Error)?
      do {
        try await follow { pause = Self.pauseFirst }
      } catch {
        failure = error
      }
      guard !Task.isCancelled, await goesOn(failure) else { return }
      if let failure {
        logger.warning("\(name) failed", metadata: ["cause": "\(failure)"])
      } else {
        logger.info("\(name) ended; beginning again")
      }
      // A real sleep between attempts; ± 20 % jitter, so that replicas do not reconnect in step.
      try? await Task.sleep(for: pause * Double.random(in: 0.8...1.2))
      pause = min(pause * 2, pauseMax)
    }
  }
}

extension RPCError {
  /// Whether a feed rejected its consumer's cursor because the feed was purged, or restored from a
  /// backup. The consumer then reads the feed again from its start.
  public var isUnknownCursor: Bool { code == .invalidArgument || code == .outOfRange }
}
