import Foundation
import Glibc

/// Runs a program to its end.
///
/// A dedicated thread waits for it. Foundation's `Process` would block one of the few threads that
/// all tests share, and beside exit tests, which also watch the process's children, it sometimes
/// never learned that its child had ended.
enum Command {
  struct Failure: Error {
    let errno: Int32
  }

  /// - Parameters:
  ///   - program: Searched in PATH unless it is a path.
  ///   - output: File for its output; nil for the test's own output.
  /// - Returns: Its exit status; 128 plus the signal where a signal ended it.
  static func run(
    _ program: String, _ arguments: [String], output: String? = nil
  ) async throws -> Int32 {
    let child = try spawn(program, arguments, output)
    return await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7f
        continuation.resume(returning: signal == 0 ? status >> 8 & 0xff : 128 + signal)
      }
    }
  }

  private static func spawn(
    _ program: String, _ arguments: [String], _ output: String?
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if let output {
      posix_spawn_file_actions_addopen(
        &actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
      posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
    }
    var words = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var child: pid_t = 0
    let code = posix_spawnp(&child, program, &actions, nil, &words, environ)
    guard code == 0 else { throw Failure(errno: code) }
    return child
  }
}
