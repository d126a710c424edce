import Foundation
import ServiceKit

/// Reads what is no option of a command: passwords, from a terminal without showing them, and
/// personal data; else a line of standard input each.
enum SecretInput {
  private static var isTerminal: Bool { isatty(STDIN_FILENO) != 0 }

  /// - Throws: ``ConfigurationError`` where the input has ended.
  static func read(_ what: String) throws -> String {
    guard isTerminal else { return try line(what) }
    Terminal.prompt("\(what): ")
    var shown = termios()
    tcgetattr(STDIN_FILENO, &shown)
    var hidden = shown
    hidden.c_lflag &= ~tcflag_t(ECHO)
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
    defer {
      tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown)
      Terminal.note("")
    }
    return try line(what)
  }

  /// Reads a new password; at a terminal twice, because nobody sees what they type.
  static func readNew() throws -> String {
    let first = try read("New password (12 to 128 characters)")
    guard isTerminal else { return first }
    guard try read("The same again") == first else {
      throw ConfigurationError("the two passwords are not the same; nothing was changed")
    }
    return first
  }

  /// Reads personal data that may be shown: as an option, every user of the machine could see it.
  static func readShown(_ what: String) throws -> String {
    if isTerminal { Terminal.prompt("\(what): ") }
    return try line(what).trimmingCharacters(in: .whitespaces)
  }

  private static func line(_ what: String) throws -> String {
    guard let line = readLine() else {
      throw ConfigurationError("\(what): the input has ended")
    }
    return line
  }
}
