import GoogleProtobuf

/// Generates the code that reads a message from its C struct and writes it as bytes.
struct SwiftCoding {
  private let types: SwiftTypes

  init(_ types: SwiftTypes) { self.types = types }

  func extend(_ message: MessageType, _ out: inout Writer) {
    let decoding = types.library("Decoding", "Protobuf")
    let direct = types.library("DirectDecoding", "Protobuf")
    let encoding = types.library("Encoding", "Protobuf")
    out.line()
    out.block("extension \(types.name(of: message))") { out in
      out.line(
        "public static var fullName: \(types.library("String")) { \"\(message.fullName)\" }")
      out.line()
      let limits = types.library("DecodeLimits", "Protobuf")
      out.block("public init(wire bytes: RawSpan, limits: \(limits)) throws") { out in
        out.line("self.init()")
        let cost = SwiftDirectCoding(types).cost(of: message)
        out.line("let cost = \(cost)")
        out.line("if \(direct).reads(bytes, limits, cost, { readDirect(&$0) }) { return }")
        out.line("let decoding = try \(decoding)(bytes, \(message.cName)__descriptor(), limits)")
        out.line("defer { decoding.end() }")
        let structure = "\(message.cName).self"
        out.line("self = Self(reading: decoding.message.assumingMemoryBound(to: \(structure)))")
      }
      out.line()
      let bytes = "[\(types.library("UInt8"))]"
      out.block(
        "public func wireBytes(headroom: \(types.library("Int"))) throws -> \(bytes)"
      ) { out in
        out.line("var encoding = \(encoding)()")
        out.line("defer { encoding.end() }")
        out.line("encode(&encoding)")
        out.line("return try encoding.output(headroom: headroom)")
      }
      out.line()
      SwiftDirectCoding(types).read(message, &out)
      out.line()
      out.block("package init(reading c: UnsafePointer<\(message.cName)>)") { out in
        out.line("self.init()")
        for field in message.fields where field.oneof == nil { read(field, message, &out) }
        for oneof in message.oneofs { read(oneof, message, &out) }
        out.line("unknownFields = \(decoding).unknownFields(c.pointee.base)")
      }
      out.line()
      out.block("package func encode(_ encoding: inout \(encoding))") { out in
        // Encoding runs from the last byte to the first.
        out.line("guard encoding.goesOn else { return }")
        out.line("encoding.unknownFields(unknownFields)")
        for field in message.fields.reversed() { write(field, &out) }
      }
    }
  }

  // MARK: - Reading from C

  private func read(_ field: Field, _ message: MessageType, _ out: inout Writer) {
    let value = "c.pointee.\(field.cPath)"
    if field.isRepeated {
      readRepeated(field, message, value, &out)
    } else if field.message != nil {
      let place = field.isBoxed ? field.storage : field.access
      var made = "\(types.element(field, in: message))(reading: value)"
      if field.isBoxed { made = "\(types.library("Box", "Protobuf"))(\(made))" }
      out.line("if let value = \(value) { \(place) = \(made) }")
    } else {
      out.block("if c.pointee.has_\(field.proto.name) != 0") { out in
        out.line("\(field.access) = \(swift(field, message, value))")
      }
    }
  }

  private func readRepeated(
    _ field: Field, _ message: MessageType, _ value: String, _ out: inout Writer
  ) {
    let count = "c.pointee.n_\(field.proto.name)"
    let decoding = types.library("Decoding", "Protobuf")
    out.block("if \(count) != 0") { out in
      if let element = field.message {
        readMessages(element, field, message, value, count, &out)
        return
      }
      let function =
        switch field.type {
        case .string: "strings"
        case .bytes: "byteStrings"
        case .bool: "booleans"
        case .enum: "enumerations"
        default: "numbers"
        }
      out.line("\(field.access) = \(decoding).\(function)(\(value), \(count))")
    }
  }

  /// Loops are written out, since calling generic functions of another module costs more than their
  /// work.
  private func readMessages(
    _ element: MessageType, _ field: Field, _ message: MessageType, _ value: String,
    _ count: String, _ out: inout Writer
  ) {
    let name = field.access
    out.line("\(name).reserveCapacity(\(count))")
    out.block("for index in 0..<\(count)") { out in
      if element.isMapEntry, element.fields.count == 2 {
        out.line("guard let c = \(value)[index] else { continue }")
        out.line("let key = \(swiftOrZero(element.fields[0], message))")
        out.line("\(name)[key] = \(swiftOrZero(element.fields[1], message))")
      } else {
        out.line("guard let element = \(value)[index] else { continue }")
        out.line("\(name).append(\(types.element(field, in: message))(reading: element))")
      }
    }
  }

  private func read(_ oneof: Oneof, _ message: MessageType, _ out: inout Writer) {
    out.line("switch c.pointee.case_\(oneof.protoName) {")
    for field in oneof.fields {
      let value = "c.pointee.\(field.cPath)"
      out.line("case \(field.number):")
      if field.message != nil {
        let element = types.element(field, in: message)
        let made = ".\(field.name)(\(element)(reading: value))"
        out.line("  if let value = \(value) { \(oneof.access) = \(made) }")
      } else {
        out.line("  \(oneof.access) = .\(field.name)(\(swift(field, message, value)))")
      }
    }
    out.line("default: break")
    out.line("}")
  }

  /// Returns the Swift value of a C scalar.
  private func swift(_ field: Field, _ message: MessageType, _ value: String) -> String {
    let decoding = types.library("Decoding", "Protobuf")
    return switch field.type {
    case .string: "\(decoding).string(\(value))"
    case .bytes: "\(decoding).bytes(\(value))"
    case .bool: "\(value) != 0"
    case .enum: "\(types.element(field, in: message))(rawValue: \(value))"
    default: value
    }
  }

  /// Returns the key or the value of a map entry; zero if it is missing.
  private func swiftOrZero(_ field: Field, _ message: MessageType) -> String {
    let value = "c.pointee.\(field.cPath)"
    if field.message != nil {
      let element = types.element(field, in: message)
      return "c.pointee.\(field.cPath).map { \(element)(reading: $0) } ?? \(element)()"
    }
    // libprotobuf-c has zeroed the struct, so a missing value reads as zero, "" or [].
    return swift(field, message, value)
  }

  // MARK: - Writing bytes

  private func write(_ field: Field, _ out: inout Writer) {
    let name = field.access
    if field.isMap {
      writeMap(field, &out)
    } else if field.isRepeated {
      writeRepeated(field, &out)
    } else if let oneof = field.oneof {
      out.block("if case .\(field.name)(let value) = \(oneof.access)") { out in
        put(field, "value", &out)
      }
    } else if field.presence == .implicit {
      out.block("if \(isSet(field))") { put(field, name, &$0) }
    } else {
      let isStored = field.isBoxed || field.presence == .legacy
      let source = field.isBoxed ? "\(field.storage)?.value" : isStored ? field.storage : name
      out.block("if let value = \(source)") { put(field, "value", &$0) }
    }
  }

  private func writeRepeated(_ field: Field, _ out: inout Writer) {
    let name = field.access
    if field.isPacked {
      out.block("if !\(name).isEmpty") { out in
        out.line("let mark = encoding.count")
        writeElements(field, tag: nil, &out)
        out.line("encoding.length(since: mark, \(field.packedTag))")
      }
    } else {
      writeElements(field, tag: field.tag, &out)
    }
  }

  /// Writes elements from last to first without an iterator, which allocates at each step in a
  /// debug build.
  private func writeElements(_ field: Field, tag: UInt32?, _ out: inout Writer) {
    let index = "index\(field.number)"
    out.line("var \(index) = \(field.access).count")
    out.block("while \(index) > 0") { out in
      out.line("\(index) -= 1")
      put(field, "\(field.access)[\(index)]", tag: tag, &out)
    }
  }

  /// Writes map entries in an order that depends on their keys only, each with its key and value.
  private func writeMap(_ field: Field, _ out: inout Writer) {
    guard let entry = field.message, entry.fields.count == 2 else { return }
    let order = "\(types.library("MapOrder", "Protobuf")).precedes($1.key, $0.key)"
    out.block("for entry in \(field.access).sorted(by: { \(order) })") { out in
      out.line("let entryMark = encoding.enter()")
      put(entry.fields[1], "entry.value", &out)
      put(entry.fields[0], "entry.key", &out)
      out.line("encoding.leave(entryMark, \(field.tag))")
    }
  }

  /// Writes a single value.
  private func put(_ field: Field, _ value: String, _ out: inout Writer) {
    put(field, value, tag: field.tag, &out)
  }

  private func put(_ field: Field, _ value: String, tag: UInt32?, _ out: inout Writer) {
    if field.message != nil {
      out.line("let mark = encoding.enter()")
      out.line("\(value).encode(&encoding)")
      out.line("encoding.leave(mark, \(field.tag))")
    } else {
      let number = field.enumeration == nil ? value : "\(value).rawValue"
      let suffix = tag.map { ", \($0)" } ?? ""
      out.line("encoding.\(field.encoder)(\(number)\(suffix))")
    }
  }

  /// Returns the condition for writing a field without presence. Floating-point zero is compared by
  /// its bits, since -0.0 is written.
  private func isSet(_ field: Field) -> String {
    switch field.type {
    case .string, .bytes: "!\(field.access).isEmpty"
    case .bool: field.access
    case .enum: "\(field.access).rawValue != 0"
    case .float, .double: "\(field.access).bitPattern != 0"
    default: "\(field.access) != 0"
    }
  }
}

extension Field {
  /// The property, qualified where its name is also used by the coding.
  var access: String { CodingNames.access(name) }

  /// The function of `Encoding` that writes a value, and of `DirectDecoding` that reads one.
  var encoder: String {
    switch type {
    case .enum: "int32"
    case .bool: "bool"
    case .int32: "int32"
    case .int64: "int64"
    case .uint32: "uint32"
    case .uint64: "uint64"
    case .sint32: "sint32"
    case .sint64: "sint64"
    case .fixed32: "fixed32"
    case .fixed64: "fixed64"
    case .sfixed32: "sfixed32"
    case .sfixed64: "sfixed64"
    case .float: "float"
    case .double: "double"
    case .string: "string"
    default: "bytes"
    }
  }

  /// The field number and wire type as one word.
  var tag: UInt32 { UInt32(bitPattern: number) << 3 | CType.wireType(self) }
  var packedTag: UInt32 { UInt32(bitPattern: number) << 3 | 2 }
}

extension Oneof {
  var access: String { CodingNames.access(name) }
}

/// Names that the coding of a message uses itself.
private enum CodingNames {
  private static let taken: Set = [
    "c", "direct", "element", "encoding", "entry", "entryMark", "index", "key", "mark", "outer",
    "tag",
    "value",
  ]

  static func access(_ name: String) -> String { taken.contains(name) ? "self.\(name)" : name }
}
