import Foundation
import ServiceKit
import Synchronization

/// The child processes of a development suite. Safe to use from any task.
final class Suite: Sendable {
  private let children = Mutex<[SuiteProcess]>([])

  /// Starts an executable with its configuration; its output goes to its log.
  func start(_ member: SuiteMember, files: DevelopmentFiles) throws -> SuiteProcess {
    let child = try SuiteProcess(
      member, configuration: files.file("\(member.rawValue).yaml"),
      log: files.folder.appending(path: "logs/\(member.rawValue).log"))
    children.withLock { $0.append(child) }
    return child
  }

  /// Waits until a child process has ended by itself.
  /// - Throws: ``ConfigurationError`` with its last words; `CancellationError`.
  func watch() async throws {
    while true {
      let ended = children.withLock { $0.first { !$0.isRunning } }
      if let ended { throw ConfigurationError(ended.lastWords) }
      // Polled: no awaitable event reports the end of a child process.
      try await Task.sleep(for: .milliseconds(200))
    }
  }

  /// Stops the processes in reverse start order, so that no call meets a stopped service behind a
  /// running one.
  func stop() async {
    for child in children.withLock({ Array($0.reversed()) }) {
      child.stop()
      await child.waitForEnd(seconds: 30)
    }
  }
}
