import Foundation
import ServiceKit

/// Reads what is no option of a command: passwords, from a terminal without showing them, and
/// personal data; else a line of standard input each.
enum SecretInput {
  private static var isTerminal: Bool { isatty(STDIN_FILENO) != 0 }

  /// - Throws: ``ConfigurationError`` where the input has ended.
  static func read(zh: String, en: String) throws -> String {
    let what = Terminal.text(zh: zh, en: en)
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
    let first = try read(zh: "新密码（12 至 128 个字符）", en: "New password (12 to 128 characters)")
    guard isTerminal else { return first }
    guard try read(zh: "再输入一次", en: "The same again") == first else {
      throw ConfigurationError(
        zh: "两次输入的密码不同，未作更改", en: "the two passwords are not the same; nothing was changed")
    }
    return first
  }

  /// Reads personal data that may be shown: as an option, every user of the machine could see it.
  static func readShown(zh: String, en: String) throws -> String {
    let what = Terminal.text(zh: zh, en: en)
    if isTerminal { Terminal.prompt("\(what): ") }
    return try line(what).trimmingCharacters(in: .whitespaces)
  }

  private static func line(_ what: String) throws -> String {
    guard let line = readLine() else {
      throw ConfigurationError(zh: "\(what)：输入已结束", en: "\(what): the input has ended")
    }
    return line
  }
}
