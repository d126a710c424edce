internal import Protobuf

/// Writes the wire format while it reads JSON.
///
/// A value of the wrong kind is recorded and skipped, so that all wrong fields are reported at
/// once. A text that is not JSON ends the parsing.
struct JSONParser {
  private enum Step {
    case name(String)
    case index(Int)
  }

  let registry: TypeRegistry
  let options: JSONMapping.Options
  var scanner: JSONScanner
  var output = WireWriter()
  private var path: [Step] = []
  private var violations: [JSONParseError.Violation] = []

  init(_ registry: TypeRegistry, _ options: JSONMapping.Options, _ json: [UInt8]) {
    self.registry = registry
    self.options = options
    scanner = JSONScanner(json)
  }

  /// - Parameter name: The field that the text is the value of; nil for the whole message.
  mutating func parse(
    _ type: MessageType, only name: String? = nil
  ) throws(JSONParseError) -> [UInt8] {
    guard UTF8Check.isValid(scanner.bytes[...]) else {
      throw JSONParseError(violations: [.init(field: "", reason: "the text is not UTF-8")])
    }
    do throws(JSONSyntaxError) {
      if let name {
        try self.value(of: name, type)
      } else {
        try message(type, depth: options.depth)
      }
      if scanner.peek() != nil { throw scanner.failure("something follows the value") }
    } catch {
      violations.append(.init(field: pathText, reason: describe(error)))
    }
    if !violations.isEmpty { throw JSONParseError(violations: violations) }
    return output.bytes
  }

  /// Reads the value of one field of a message.
  private mutating func value(of name: String, _ type: MessageType) throws(JSONSyntaxError) {
    guard let index = type.index(named: name) else { return try refuse("no such field") }
    let field = type.fields[index]
    path.append(.name(field.jsonName))
    if try scanner.kind() == .null, !takesNull(field) {
      try scanner.null()
    } else {
      try self.field(field, depth: options.depth)
    }
    path.removeLast()
  }

  // MARK: - Violations

  private var pathText: String {
    path.reduce("") { text, step in
      switch step {
      case .name(let name): text.isEmpty ? name : "\(text).\(name)"
      case .index(let index): "\(text)[\(index)]"
      }
    }
  }

  private func describe(_ error: JSONSyntaxError) -> String {
    let before = scanner.bytes[..<error.offset]
    let line = before.count { $0 == 0x0a } + 1
    let column = before.count - (before.lastIndex(of: 0x0a) ?? -1)
    return "line \(line), byte \(column): \(error.reason)"
  }

  /// Records a violation; ends the parsing if there are too many.
  mutating func refuse(_ reason: String) throws(JSONSyntaxError) {
    guard violations.count < JSONParseError.violationsMax - 1 else {
      throw scanner.failure("too many wrong fields; the rest was not looked at")
    }
    violations.append(.init(field: pathText, reason: reason))
  }

  /// Records that the value at `start` is of the wrong kind, and skips it. What is no JSON value at
  /// all is a syntax error only.
  mutating func refuseValue(
    _ reason: String, from start: Int, depth: Int
  ) throws(JSONSyntaxError) {
    scanner.rewind(to: start)
    try scanner.skipValue(depth: depth)
    try refuse(reason)
  }

  // MARK: - Messages

  /// Reads the JSON form of a message. The caller writes the tag and the length around it.
  mutating func message(_ type: MessageType, depth: Int) throws(JSONSyntaxError) {
    guard depth > 0 else { throw scanner.failure("messages lie too deep") }
    if let wellKnown = type.wellKnown { return try self.wellKnown(wellKnown, type, depth: depth) }
    try object(type, depth: depth, except: nil)
  }

  /// Reads the members of an object as fields of a message, except the one named `except`.
  mutating func object(
    _ type: MessageType, depth: Int, except: String?
  ) throws(JSONSyntaxError) {
    let start = scanner.at
    guard try scanner.kind() == .object else {
      return try refuseValue("expected an object", from: start, depth: depth)
    }
    var seen = SeenFields(type)
    try members { parser, name throws(JSONSyntaxError) in
      if name == except { return try parser.scanner.skipValue(depth: depth) }
      guard let index = type.index(named: name) else {
        if !parser.options.ignoresUnknown { try parser.refuse("no such field") }
        return try parser.scanner.skipValue(depth: depth)
      }
      let field = type.fields[index]
      parser.path[parser.path.count - 1] = .name(field.jsonName)
      if try parser.scanner.kind() == .null, !parser.takesNull(field) {
        return try parser.scanner.null()
      }
      if let reason = seen.mark(index, field) {
        try parser.refuse(reason)
        return try parser.scanner.skipValue(depth: depth)
      }
      try parser.field(field, depth: depth)
    }
  }

  /// Reads an object. While a member's value is read, its name is part of the path.
  mutating func members(
    _ body: (inout JSONParser, String) throws(JSONSyntaxError) -> Void
  ) throws(JSONSyntaxError) {
    try scanner.expect("{")
    if scanner.take("}") { return }
    repeat {
      guard scanner.peek() == UInt8(ascii: "\"") else {
        throw scanner.failure("expected a name in quotes")
      }
      let name = try scanner.string()
      try scanner.expect(":")
      path.append(.name(name))
      try body(&self, name)
      path.removeLast()
    } while scanner.take(",")
    try scanner.expect("}")
  }

  /// Returns whether null is a value of the field, rather than the same as its absence.
  private func takesNull(_ field: FieldType) -> Bool {
    if field.isRepeated { return false }
    switch field.kind {
    case .message(let index): return registry.messages[index].wellKnown == .value
    case .enumeration(let index): return registry.enums[index].isNull
    default: return false
    }
  }

  // MARK: - Fields

  private mutating func field(_ field: FieldType, depth: Int) throws(JSONSyntaxError) {
    if field.isMap { return try map(field, depth: depth) }
    if field.isRepeated { return try list(field, depth: depth) }
    if case .message(let index) = field.kind {
      return try nested(field.number, registry.messages[index], depth: depth)
    }
    try singular(field.number, field.kind, isWrittenWhenZero: field.hasPresence, depth: depth)
  }

  private mutating func nested(
    _ number: UInt32, _ type: MessageType, depth: Int
  ) throws(JSONSyntaxError) {
    let mark = output.begin(number)
    try message(type, depth: depth - 1)
    output.end(mark)
  }

  mutating func list(_ field: FieldType, depth: Int) throws(JSONSyntaxError) {
    let start = scanner.at
    guard try scanner.kind() == .array else {
      return try refuseValue("expected a list", from: start, depth: depth)
    }
    let isPacked = field.kind.wireType != 2
    let mark = isPacked ? output.begin(field.number) : nil
    var index = 0
    try scanner.expect("[")
    if !scanner.take("]") {
      repeat {
        path.append(.index(index))
        try element(field, isPacked: isPacked, depth: depth)
        path.removeLast()
        index += 1
      } while scanner.take(",")
      try scanner.expect("]")
    }
    if let mark { output.end(mark, isKeptWhenEmpty: false) }
  }

  private mutating func element(
    _ field: FieldType, isPacked: Bool, depth: Int
  ) throws(JSONSyntaxError) {
    if try scanner.kind() == .null, !takesNullAsElement(field.kind) {
      try refuse("null is no element of a list")
      return try scanner.null()
    }
    if case .message(let index) = field.kind {
      try nested(field.number, registry.messages[index], depth: depth)
    } else {
      try singular(
        isPacked ? nil : field.number, field.kind, isWrittenWhenZero: true, depth: depth)
    }
  }

  private func takesNullAsElement(_ kind: FieldType.Kind) -> Bool {
    switch kind {
    case .message(let index): registry.messages[index].wellKnown == .value
    case .enumeration(let index): registry.enums[index].isNull
    default: false
    }
  }

  mutating func map(_ field: FieldType, depth: Int) throws(JSONSyntaxError) {
    guard case .message(let index) = field.kind, let key = registry.messages[index].fields.first,
      let value = registry.messages[index].fields.last
    else { return }
    let start = scanner.at
    guard try scanner.kind() == .object else {
      return try refuseValue("expected an object", from: start, depth: depth)
    }
    var keys: Set<String> = []
    try members { parser, name throws(JSONSyntaxError) in
      guard keys.insert(name).inserted else {
        try parser.refuse("the key occurs twice")
        return try parser.scanner.skipValue(depth: depth)
      }
      let mark = parser.output.begin(field.number)
      if let wrong = parser.key(name, key.kind) { try parser.refuse(wrong) }
      try parser.element(value, isPacked: false, depth: depth)
      parser.output.end(mark)
    }
  }

  /// Writes the key of a map entry; returns what is wrong with it, or nil.
  private mutating func key(_ text: String, _ kind: FieldType.Kind) -> String? {
    switch kind {
    case .string: output.write(1, Array(text.utf8))
    case .bool:
      guard text == "true" || text == "false" else { return "expected the key true or false" }
      output.write(1, kind, raw: text == "true" ? 1 : 0)
    default:
      guard let raw = JSONNumber.integer(text, kind) else {
        return "expected a key that is \(JSONNumber.range(of: kind))"
      }
      output.write(1, kind, raw: raw)
    }
    return nil
  }
}

/// The fields of a message that have occurred, and the oneofs of which a member has.
private struct SeenFields {
  private var fields: [Bool]
  private var oneofs: Set<Int> = []

  init(_ type: MessageType) { fields = [Bool](repeating: false, count: type.fields.count) }

  /// Records a field; returns why it may not occur, or nil.
  mutating func mark(_ index: Int, _ field: FieldType) -> String? {
    if fields[index] { return "the field occurs twice" }
    fields[index] = true
    if let oneof = field.oneof, !oneofs.insert(oneof).inserted {
      return "another field of the same choice is set"
    }
    return nil
  }
}
