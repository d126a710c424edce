/// The bytes of a file with an index of lines. Searching bytes keeps whole-repository rules fast
/// even in a debug build.
struct Text: Sendable {
  let bytes: [UInt8]
  /// Offsets of the line starts.
  private let lineStarts: [Int]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    var starts = [0]
    for (offset, byte) in bytes.enumerated() where byte == .newline { starts.append(offset + 1) }
    if starts.count > 1, starts.last == bytes.count { starts.removeLast() }
    lineStarts = starts
  }

  init(_ string: String) { self.init(Array(string.utf8)) }

  var lineCount: Int { bytes.isEmpty ? 0 : lineStarts.count }

  /// Returns the number of the line, from 1, that contains this offset.
  func line(at offset: Int) -> Int {
    var low = 0
    var high = lineStarts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if lineStarts[middle] <= offset { low = middle } else { high = middle }
    }
    return low + 1
  }

  /// Returns a line by its number, from 1, without its line break; empty outside of the file.
  func line(_ number: Int) -> String {
    guard number >= 1, number <= lineCount else { return "" }
    let start = lineStarts[number - 1]
    var end = number < lineCount ? lineStarts[number] : bytes.count
    if end > start, bytes[end - 1] == .newline { end -= 1 }
    return String(decoding: bytes[start..<end], as: UTF8.self)
  }

  /// Returns the offsets of `needle` as a separate word: an end of it that is a letter, digit or
  /// underscore is not adjacent to another such character. With `member: false` a preceding dot
  /// disqualifies as well.
  func occurrences(of needle: String, member: Bool = true) -> [Int] {
    let wanted = Array(needle.utf8)
    guard let first = wanted.first, let last = wanted.last else { return [] }
    return raw(wanted).filter { start in
      let before = start > 0 ? bytes[start - 1] : .space
      let after = start + wanted.count < bytes.count ? bytes[start + wanted.count] : .space
      if first.isWord, before.isWord { return false }
      if last.isWord, after.isWord { return false }
      return member || before != UInt8(ascii: ".")
    }
  }

  private func raw(_ wanted: [UInt8]) -> [Int] {
    var found: [Int] = []
    bytes.withUnsafeBufferPointer { text in
      guard text.count >= wanted.count else { return }
      for start in 0...(text.count - wanted.count) where text[start] == wanted[0] {
        var length = 1
        while length < wanted.count, text[start + length] == wanted[length] { length += 1 }
        if length == wanted.count { found.append(start) }
      }
    }
    return found
  }
}

extension UInt8 {
  static let newline = UInt8(ascii: "\n")
  static let space = UInt8(ascii: " ")

  /// Whether it is a letter, digit or underscore; a byte beyond ASCII counts as a letter.
  var isWord: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...0xFF:
      true
    default: false
    }
  }

  var isBlank: Bool { self == .space || self == .newline || self == UInt8(ascii: "\t") }
}
