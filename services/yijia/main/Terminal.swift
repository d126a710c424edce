import Foundation
import QRCode
import ServiceKit

/// Terminal output: results to standard output, progress and notes to standard error.
enum Terminal {
  static func say(_ text: String) { write(text + "\n", to: .standardOutput) }

  static func note(_ text: String) { write(text + "\n", to: .standardError) }

  /// Asks somebody at the terminal for a line.
  static func prompt(_ text: String) { write(text, to: .standardError) }

  /// Shows a QR code in half blocks, two rows of it a line, light on dark whatever the terminal's
  /// colors are. Only on a terminal: in a file its text would be of no use.
  static func show(_ symbol: Symbol) {
    guard isatty(FileHandle.standardError.fileDescriptor) != 0 else { return }
    for line in symbol.halfBlocks { write("\u{1B}[30;107m\(line)\u{1B}[0m\n", to: .standardError) }
  }

  /// Shows progress on one line that is overwritten; only on a terminal.
  static func progress(_ text: String) {
    guard isatty(FileHandle.standardError.fileDescriptor) != 0 else { return }
    write("\r\u{1B}[K  \(text)", to: .standardError)
  }

  static func endProgress() {
    guard isatty(FileHandle.standardError.fileDescriptor) != 0 else { return }
    write("\r\u{1B}[K", to: .standardError)
  }

  private static func write(_ text: String, to handle: FileHandle) {
    // A closed pipe at the other end is not an error.
    try? handle.write(contentsOf: Data(text.utf8))
  }
}

extension Terminal {
  /// The text in the terminal's language.
  static func text(_ text: LocalizedText) -> String {
    text.text(in: isChinese ? .chinese : .english)
  }

  static func text(zh: String, en: String) -> String { text(LocalizedText(zh: zh, en: en)) }

  /// Whether the terminal's locale is Chinese.
  static let isChinese: Bool = {
    let environment = ProcessInfo.processInfo.environment
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].compactMap { environment[$0] }
      .first { !$0.isEmpty }
    return locale?.hasPrefix("zh") ?? false
  }()
}

extension ConfigurationError {
  /// In the terminal's language.
  init(zh: String, en: String) { self.init(Terminal.text(zh: zh, en: en)) }
}
