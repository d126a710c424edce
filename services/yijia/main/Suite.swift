import Foundation
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

  /// A child process that has ended by itself.
  var ended: SuiteProcess? { children.withLock { $0.first { !$0.isRunning } } }

  /// Stops the processes in reverse start order, so that no call meets a stopped service behind a
  /// running one.
  func stop() async {
    for child in children.withLock({ Array($0.reversed()) }) {
      child.stop()
      await child.waitForEnd(seconds: 30)
    }
  }
}
