import GoogleProtobuf

/// Generates the code that reads an ordinary message directly from its bytes.
struct SwiftDirectCoding {
  private let types: SwiftTypes

  init(_ types: SwiftTypes) { self.types = types }

  /// Returns the memory that a message counts for: its C struct and its Swift value, as in the wire
  /// check.
  func cost(of message: MessageType) -> String {
    "\(types.library("MemoryLayout"))<\(message.cName)>.size + \(message.swiftByteCount)"
  }

  func read(_ message: MessageType, _ out: inout Writer) {
    let direct = types.library("DirectDecoding", "Protobuf")
    out.line("/// A message within another, behind its tag.")
    out.block("package init(direct: inout \(direct))") { out in
      out.line("self.init()")
      out.line("let outer = direct.enter(\(cost(of: message)))")
      out.line("readDirect(&direct)")
      out.line("direct.leave(outer)")
    }
    out.line()
    out.block("private mutating func readDirect(_ direct: inout \(direct))") { out in
      loop(out: &out) { out in
        for field in message.fields { read(field, message, &out) }
      }
    }
  }

  /// Writes a loop with a `switch` over the tags.
  private func loop(out: inout Writer, _ cases: (inout Writer) -> Void) {
    out.block("while case let tag = direct.tag(), tag != 0") { out in
      out.line("switch tag {")
      cases(&out)
      out.line("default: direct.refuse()")
      out.line("}")
    }
  }

  private func read(_ field: Field, _ message: MessageType, _ out: inout Writer) {
    let name = field.access
    if field.isMap {
      readMap(field, message, &out)
    } else if field.isRepeated {
      readRepeated(field, message, &out)
    } else if let oneof = field.oneof {
      out.line("case \(field.tag):")
      out.line("  direct.expect(\(oneof.access) == nil)")
      out.line("  \(oneof.access) = .\(field.name)(\(value(field, message)))")
    } else if field.message != nil {
      let place = field.isBoxed ? field.storage : name
      let box = types.library("Box", "Protobuf")
      let made = value(field, message)
      out.line("case \(field.tag):")
      out.line("  direct.expect(\(place) == nil)")
      out.line("  \(place) = \(field.isBoxed ? "\(box)(\(made))" : made)")
    } else {
      out.line("case \(field.tag): \(name) = \(value(field, message))")
    }
  }

  /// Repeated numbers may come packed or not, whatever the field's option.
  private func readRepeated(_ field: Field, _ message: MessageType, _ out: inout Writer) {
    let name = field.access
    let append = "\(name).append(\(value(field, message)))"
    out.line("case \(field.tag):")
    if field.isPackable {
      out.line("  direct.takeElement()")
      out.line("  \(append)")
      out.line("case \(field.packedTag):")
      out.line("  let outer = direct.enterRun(\(field.wireBytesMin))")
      out.line("  while direct.goesOn { \(append) }")
      out.line("  direct.leaveRun(outer)")
    } else {
      let cost = field.message.map(cost(of:)) ?? "32"
      out.line("  if \(name).isEmpty {")
      out.line("    \(name).reserveCapacity(direct.count(\(field.tag), \(cost)))")
      out.line("  }")
      if field.message == nil { out.line("  direct.takeElement()") }
      out.line("  \(append)")
    }
  }

  private func readMap(_ field: Field, _ message: MessageType, _ out: inout Writer) {
    guard let entry = field.message, entry.fields.count == 2 else { return }
    let (key, value) = (entry.fields[0], entry.fields[1])
    out.line("case \(field.tag):")
    out.line("  let outer = direct.enter(\(cost(of: entry)))")
    out.line("  var key: \(types.element(key, in: message)) = \(types.zero(key))")
    let element = types.element(value, in: message)
    if value.message == nil {
      out.line("  var value: \(element) = \(types.zero(value))")
    } else {
      out.line("  var value: \(element)?")
    }
    loop(out: &out) { out in
      out.line("case \(key.tag): key = \(self.value(key, message))")
      if value.message != nil {
        out.line("case \(value.tag):")
        out.line("  direct.expect(value == nil)")
        out.line("  value = \(self.value(value, message))")
      } else {
        out.line("case \(value.tag): value = \(self.value(value, message))")
      }
    }
    out.line("  direct.leave(outer)")
    let made = value.message == nil ? "value" : "value ?? \(element)()"
    out.line("  \(field.access)[key] = \(made)")
  }

  /// Returns the expression that reads one value behind its tag.
  private func value(_ field: Field, _ message: MessageType) -> String {
    let element = types.element(field, in: message)
    if field.message != nil { return "\(element)(direct: &direct)" }
    if field.enumeration != nil { return "\(element)(rawValue: direct.int32())" }
    return "direct.\(field.encoder)()"
  }
}

extension Field {
  fileprivate var isPackable: Bool { message == nil && type != .string && type != .bytes }

  /// The size of the shortest value on the wire, in bytes.
  fileprivate var wireBytesMin: Int {
    switch type {
    case .double, .fixed64, .sfixed64: 8
    case .float, .fixed32, .sfixed32: 4
    default: 1
    }
  }
}
