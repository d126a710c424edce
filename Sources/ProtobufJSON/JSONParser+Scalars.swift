import Foundation
internal import Protobuf

extension JSONParser {
  /// Reads a value that is not a message. Without a number it is the element of a packed list.
  mutating func singular(
    _ number: UInt32?, _ kind: FieldType.Kind, isWrittenWhenZero: Bool, depth: Int
  ) throws(JSONSyntaxError) {
    let start = scanner.at
    let raw: UInt64?
    switch kind {
    case .string, .bytes:
      return try text(number ?? 0, kind, isWrittenWhenZero: isWrittenWhenZero, depth: depth)
    case .bool: raw = try scanner.kind() == .bool ? (try scanner.bool() ? 1 : 0) : nil
    case .double, .float: raw = try lexeme().flatMap { JSONNumber.floating($0, kind) }
    case .enumeration(let index): raw = try enumeration(registry.enums[index])
    default: raw = try lexeme().flatMap { JSONNumber.integer($0, kind) }
    }
    guard let raw else {
      if case .enumeration = kind, options.ignoresUnknown, try isString(at: start) { return }
      return try refuseValue("expected \(expectation(kind))", from: start, depth: depth)
    }
    if raw != 0 || isWrittenWhenZero { output.write(number, kind, raw: raw) }
  }

  private mutating func isString(at start: Int) throws(JSONSyntaxError) -> Bool {
    let end = scanner.at
    scanner.rewind(to: start)
    defer { scanner.rewind(to: end) }
    return try scanner.kind() == .string
  }

  private func expectation(_ kind: FieldType.Kind) -> String {
    switch kind {
    case .bool: "true or false"
    case .double, .float: "a number"
    case .string: "a string"
    case .bytes: "a string in base64"
    case .enumeration(let index):
      registry.enums[index].listed.map { "one of \($0.joined(separator: ", "))" }
        ?? "a value of \(registry.enums[index].fullName)"
    default: JSONNumber.range(of: kind)
    }
  }

  /// Reads the text of a number, which may be in quotes.
  private mutating func lexeme() throws(JSONSyntaxError) -> String? {
    switch try scanner.kind() {
    case .number: try scanner.number()
    case .string: try scanner.string()
    default: nil
    }
  }

  private mutating func enumeration(_ type: EnumType) throws(JSONSyntaxError) -> UInt64? {
    switch try scanner.kind() {
    case .string:
      return type.number(of: try scanner.string()).map { UInt64(bitPattern: Int64($0)) }
    case .number: return JSONNumber.integer(try scanner.number(), .int32)
    case .null where type.isNull:
      try scanner.null()
      return 0
    default: return nil
    }
  }

  private mutating func text(
    _ number: UInt32, _ kind: FieldType.Kind, isWrittenWhenZero: Bool, depth: Int
  ) throws(JSONSyntaxError) {
    let start = scanner.at
    guard try scanner.kind() == .string else {
      return try refuseValue("expected \(expectation(kind))", from: start, depth: depth)
    }
    var content: [UInt8] = []
    try scanner.string(into: &content)
    if kind == .bytes {
      guard let decoded = Self.base64(content) else {
        return try refuse("expected \(expectation(kind))")
      }
      content = decoded
    }
    if !content.isEmpty || isWrittenWhenZero { output.write(number, content) }
  }

  /// Decodes base64 in the standard or the URL-safe alphabet, with or without padding.
  private static func base64(_ text: [UInt8]) -> [UInt8]? {
    var plain = text.map { byte in
      switch byte {
      case UInt8(ascii: "-"): UInt8(ascii: "+")
      case UInt8(ascii: "_"): UInt8(ascii: "/")
      default: byte
      }
    }
    if plain.count % 4 != 0, plain.last != UInt8(ascii: "=") {
      plain += repeatElement(UInt8(ascii: "="), count: 4 - plain.count % 4)
    }
    return Data(base64Encoded: Data(plain)).map { [UInt8]($0) }
  }
}

/// Converts JSON numbers to field values.
enum JSONNumber {
  /// Returns the bits for the wire, or nil if the text is not an integer of the kind. `1.0` and
  /// `1e2` are integers.
  static func integer(_ text: String, _ kind: FieldType.Kind) -> UInt64? {
    switch kind {
    case .int32, .sfixed32: whole(text, Int32.self).map { UInt64(bitPattern: Int64($0)) }
    case .sint32:
      whole(text, Int32.self).map { UInt64(UInt32(bitPattern: $0 << 1 ^ $0 >> 31)) }
    case .uint32, .fixed32: whole(text, UInt32.self).map { UInt64($0) }
    case .int64, .sfixed64: whole(text, Int64.self).map { UInt64(bitPattern: $0) }
    case .sint64: whole(text, Int64.self).map { UInt64(bitPattern: $0 << 1 ^ $0 >> 63) }
    case .uint64, .fixed64: whole(text, UInt64.self)
    default: nil
    }
  }

  static func range(of kind: FieldType.Kind) -> String {
    switch kind {
    case .uint32, .fixed32: "an integer of 0 to 4294967295"
    case .uint64, .fixed64: "an integer of 0 to 18446744073709551615"
    case .int64, .sint64, .sfixed64: "an integer of 64 bits"
    default: "an integer of -2147483648 to 2147483647"
    }
  }

  /// The longest text that is parsed as a decimal: more digits than any 64-bit integer has.
  private static let digitsMax = 400

  private static func whole<I: FixedWidthInteger>(_ text: String, _ type: I.Type) -> I? {
    let bytes = text.utf8
    guard isNumber(bytes) else { return nil }
    if let plain = I(text) { return plain }
    // A fraction or an exponent: it is exact as a decimal, or not an integer.
    guard bytes.count <= digitsMax, text.contains(where: { ".eE".contains($0) }),
      let value = Decimal(string: text, locale: nil), value.isFinite
    else { return nil }
    var rounded = Decimal()
    var source = value
    NSDecimalRound(&rounded, &source, 0, .plain)
    return rounded == value ? I(NSDecimalNumber(decimal: rounded).stringValue) : nil
  }

  /// Returns the bits for the wire, or nil if the text is not a number or out of the kind's range.
  static func floating(_ text: String, _ kind: FieldType.Kind) -> UInt64? {
    let value: Double
    switch text {
    case "NaN": value = .nan
    case "Infinity": value = .infinity
    case "-Infinity": value = -.infinity
    default:
      guard isNumber(text.utf8), let number = Double(text), number.isFinite else { return nil }
      value = number
    }
    if kind == .double { return value.bitPattern }
    let short = Float(value)
    guard short.isFinite || !value.isFinite else { return nil }
    return UInt64(short.bitPattern)
  }

  /// Returns whether a text is a number by JSON's grammar, which was not checked if it was in
  /// quotes.
  private static func isNumber(_ bytes: String.UTF8View) -> Bool {
    var scanner = JSONScanner(Array(bytes))
    guard let first = bytes.first, first > 0x20, (try? scanner.number()) != nil else {
      return false
    }
    return scanner.at == bytes.count
  }
}
