import Foundation
public import Logging
import ServiceKit
import Storage

extension MembersService {
  /// Often enough that a purge stays small.
  private static let purgeInterval = Duration.seconds(3_600)

  /// Forgets what is kept for a time only, every hour until its task is cancelled. A failure is
  /// logged, and tried again an hour later.
  public func keepHouse(logger: Logger) async {
    while !Task.isCancelled {
      do {
        let purged = try await purgeRequests()
        if purged > 0 { logger.info("request ids forgotten", metadata: ["count": "\(purged)"]) }
        // Time itself is meant: there is no condition to wait for.
        try await Task.sleep(for: Self.purgeInterval)
      } catch is CancellationError {
        return
      } catch {
        logger.warning("housekeeping failed", metadata: ["cause": "\(error)"])
        // Time itself is meant: the next attempt.
        try? await Task.sleep(for: Self.purgeInterval)
      }
    }
  }

  /// Forgets request ids that nobody retries any more.
  func purgeRequests() async throws -> Int {
    let retention = TimeInterval(Limits.requestRetention.components.seconds)
    return try await database.purgeRequests(before: clock.now.addingTimeInterval(-retention))
  }
}
