internal import Protobuf

/// The offset at which a text stops being JSON, and why.
struct JSONSyntaxError: Error, Sendable, Hashable {
  let offset: Int
  let reason: String
}

/// Reads the tokens of a JSON text, strictly by RFC 8259.
struct JSONScanner {
  /// The kind of a value, by its first character.
  enum Kind: Sendable, Hashable { case object, array, string, number, bool, null }

  let bytes: [UInt8]
  private(set) var at = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func failure(_ reason: String) -> JSONSyntaxError { JSONSyntaxError(offset: at, reason: reason) }

  /// Returns to a place where a value began.
  mutating func rewind(to place: Int) { at = place }

  // MARK: - Tokens

  private mutating func skipSpace() {
    while at < bytes.count {
      switch bytes[at] {
      case 0x20, 0x09, 0x0a, 0x0d: at += 1
      default: return
      }
    }
  }

  /// Returns the next byte after white space, without taking it.
  mutating func peek() -> UInt8? {
    skipSpace()
    return at < bytes.count ? bytes[at] : nil
  }

  /// Takes a punctuation character, if it is next.
  mutating func take(_ mark: Unicode.Scalar) -> Bool {
    guard peek() == UInt8(ascii: mark) else { return false }
    at += 1
    return true
  }

  mutating func expect(_ mark: Unicode.Scalar) throws(JSONSyntaxError) {
    guard take(mark) else { throw failure("expected \"\(mark)\"") }
  }

  mutating func kind() throws(JSONSyntaxError) -> Kind {
    guard let first = peek() else { throw failure("the text ends where a value is expected") }
    switch first {
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "\""): return .string
    case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
    case UInt8(ascii: "n"): return .null
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
    default: throw failure("expected a value")
    }
  }

  mutating func null() throws(JSONSyntaxError) { try word("null") }

  mutating func bool() throws(JSONSyntaxError) -> Bool {
    let isTrue = peek() == UInt8(ascii: "t")
    try word(isTrue ? "true" : "false")
    return isTrue
  }

  private mutating func word(_ word: String) throws(JSONSyntaxError) {
    skipSpace()
    guard bytes[at...].starts(with: word.utf8) else { throw failure("expected \(word)") }
    at += word.utf8.count
  }

  /// Takes a number and returns its text.
  mutating func number() throws(JSONSyntaxError) -> String {
    skipSpace()
    let start = at
    if next == UInt8(ascii: "-") { at += 1 }
    if next == UInt8(ascii: "0") { at += 1 } else { try digits() }
    if next == UInt8(ascii: ".") {
      at += 1
      try digits()
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      at += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { at += 1 }
      try digits()
    }
    return String(decoding: bytes[start..<at], as: UTF8.self)
  }

  private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

  private mutating func digits() throws(JSONSyntaxError) {
    let start = at
    while let byte = next, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte { at += 1 }
    guard at > start else { throw failure("expected a digit") }
  }

  // MARK: - Strings

  mutating func string() throws(JSONSyntaxError) -> String {
    var text: [UInt8] = []
    try string(into: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// Takes a string and appends its characters. The input has been validated as UTF-8.
  mutating func string(into output: inout [UInt8]) throws(JSONSyntaxError) {
    try expect("\"")
    while true {
      let start = at
      while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\"),
        bytes[at] >= 0x20
      {
        at += 1
      }
      output += bytes[start..<at]
      switch next {
      case UInt8(ascii: "\""):
        at += 1
        return
      case UInt8(ascii: "\\"):
        at += 1
        try escape(into: &output)
      case nil: throw failure("the text ends within a string")
      default: throw failure("a control character in a string must be escaped")
      }
    }
  }

  private mutating func escape(into output: inout [UInt8]) throws(JSONSyntaxError) {
    guard let byte = next else { throw failure("the text ends within a string") }
    at += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(byte)
    case UInt8(ascii: "b"): output.append(0x08)
    case UInt8(ascii: "f"): output.append(0x0c)
    case UInt8(ascii: "n"): output.append(0x0a)
    case UInt8(ascii: "r"): output.append(0x0d)
    case UInt8(ascii: "t"): output.append(0x09)
    case UInt8(ascii: "u"): output += String(try unicode()).utf8
    default: throw failure("unknown escape in a string")
    }
  }

  /// Reads an escaped character. One beyond U+FFFF consists of two escapes, a surrogate pair.
  private mutating func unicode() throws(JSONSyntaxError) -> Unicode.Scalar {
    let first = try hex()
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard first < 0xdc00, next == UInt8(ascii: "\\") else {
      throw failure("half of a surrogate pair")
    }
    at += 1
    guard next == UInt8(ascii: "u") else { throw failure("half of a surrogate pair") }
    at += 1
    let second = try hex()
    guard 0xdc00...0xdfff ~= second,
      let scalar = Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
    else { throw failure("half of a surrogate pair") }
    return scalar
  }

  private mutating func hex() throws(JSONSyntaxError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure("expected four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      at += 1
    }
    return value
  }

  // MARK: - Whole values

  /// Skips a value of any kind.
  mutating func skipValue(depth: Int) throws(JSONSyntaxError) {
    switch try kind() {
    case .null: try null()
    case .bool: _ = try bool()
    case .number: _ = try number()
    case .string: _ = try string()
    case .array:
      guard depth > 0 else { throw failure("lists and objects lie too deep") }
      try elements { scanner throws(JSONSyntaxError) in try scanner.skipValue(depth: depth - 1) }
    case .object:
      guard depth > 0 else { throw failure("lists and objects lie too deep") }
      try members { scanner, _ throws(JSONSyntaxError) in
        try scanner.skipValue(depth: depth - 1)
      }
    }
  }

  private mutating func elements(
    _ body: (inout JSONScanner) throws(JSONSyntaxError) -> Void
  ) throws(JSONSyntaxError) {
    try expect("[")
    if take("]") { return }
    repeat { try body(&self) } while take(",")
    try expect("]")
  }

  /// Takes an object; `body` must take the value of each member.
  mutating func members(
    _ body: (inout JSONScanner, String) throws(JSONSyntaxError) -> Void
  ) throws(JSONSyntaxError) {
    try expect("{")
    if take("}") { return }
    repeat {
      guard peek() == UInt8(ascii: "\"") else { throw failure("expected a name in quotes") }
      let name = try string()
      try expect(":")
      try body(&self, name)
    } while take(",")
    try expect("}")
  }
}
