internal import Foundation
public import Logging
public import Storage

/// Ends the process when its store can't be trusted any more: what was acknowledged is on disk, and
/// the next start reads what else is. Returns once the store was closed, or its task is cancelled.
public func endProcess(whenFails database: any Database, logger: Logger) async {
  guard let failure = await database.failure() else { return }
  logger.critical(
    "the store failed: the process ends",
    metadata: ["cause": "\(failure.debugDetail ?? "\(failure)")"])
  exit(EXIT_FAILURE)
}
