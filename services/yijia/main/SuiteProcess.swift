import Foundation
import ServiceKit

/// An executable of the suite that runs as a child process.
final class SuiteProcess: Sendable {
  let member: SuiteMember
  private let process = Process()
  private let logFile: URL

  /// Starts the executable, from the folder of this one, with a configuration file; its output goes
  /// to a log file.
  init(_ member: SuiteMember, configuration: String, log: URL) throws {
    self.member = member
    logFile = log
    if !FileManager.default.fileExists(atPath: log.path) {
      guard FileManager.default.createFile(atPath: log.path, contents: nil) else {
        throw ConfigurationError("\(log.path): cannot be written")
      }
    }
    let handle = try FileHandle(forWritingTo: log)
    try handle.seekToEnd()
    process.executableURL = Self.folder.appending(path: member.executable)
    process.arguments = ["--config", configuration]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = handle
    process.standardError = handle
    do {
      try process.run()
    } catch {
      throw ConfigurationError(
        "\(member.executable) does not start: \(error.localizedDescription); build it first "
          + "(make run does)")
    }
    try handle.close()
  }

  var isRunning: Bool { process.isRunning }

  /// The exit status, and the last lines of the log.
  var lastWords: String {
    let log = (try? String(contentsOf: logFile, encoding: .utf8)) ?? ""
    let tail = log.split(separator: "\n").suffix(5).joined(separator: "\n  ")
    return "\(member.executable) ended with status \(process.terminationStatus):\n  \(tail)"
  }

  /// Requests termination (SIGTERM).
  func stop() {
    if process.isRunning { process.terminate() }
  }

  /// Waits until the process has ended; kills it after `seconds`.
  func waitForEnd(seconds: Int) async {
    let end = ContinuousClock.now + .seconds(seconds)
    while process.isRunning {
      if ContinuousClock.now > end {
        kill(process.processIdentifier, SIGKILL)
        return
      }
      // Polled: Foundation's termination handler may run before the process can be waited for.
      try? await Task.sleep(for: .milliseconds(20))
    }
  }

  private static var folder: URL {
    URL(
      filePath: (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        ?? CommandLine.arguments[0]
    ).deletingLastPathComponent()
  }
}
