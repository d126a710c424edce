import GoogleProtobuf

/// The code that takes a message from and to its C struct.
struct SwiftCoding {
  private let types: SwiftTypes

  init(_ types: SwiftTypes) { self.types = types }

  func extend(_ message: MessageType, _ out: inout Writer) {
    let decoding = types.library("Decoding", "Protobuf")
    let encoding = types.library("Encoding", "Protobuf")
    out.line()
    out.block("extension \(types.name(of: message))") { out in
      out.line(
        "public static var fullName: \(types.library("String")) { \"\(message.fullName)\" }")
      out.line()
      let limits = types.library("DecodeLimits", "Protobuf")
      out.block("public init(wire bytes: RawSpan, limits: \(limits)) throws") { out in
        out.line("let decoding = try \(decoding)(bytes, \(message.cName)__descriptor(), limits)")
        out.line("defer { decoding.end() }")
        let structure = "\(message.cName).self"
        out.line("self.init(reading: decoding.message.assumingMemoryBound(to: \(structure)))")
      }
      out.line()
      let bytes = "[\(types.library("UInt8"))]"
      out.block(
        "public func wireBytes(headroom: \(types.library("Int"))) throws -> \(bytes)"
      ) { out in
        out.line("var encoding = \(encoding)()")
        out.line("defer { encoding.end() }")
        out.line("let message = encoded(&encoding)")
        out.line("return try encoding.pack(message, headroom: headroom)")
      }
      out.line()
      out.block("package init(reading c: UnsafePointer<\(message.cName)>)") { out in
        out.line("self.init()")
        for field in message.fields where field.oneof == nil { read(field, message, &out) }
        for oneof in message.oneofs { read(oneof, message, &out) }
        out.line("unknownFields = \(decoding).unknownFields(c.pointee.base)")
      }
      out.line()
      let result = "UnsafeMutablePointer<\(message.cName)>"
      out.block("package func encoded(_ encoding: inout \(encoding)) -> \(result)") { out in
        out.line("let c = encoding.make(\(message.cName)__descriptor())")
        out.line("  .assumingMemoryBound(to: \(message.cName).self)")
        out.line("guard encoding.enter() else { return c }")
        for field in message.fields where field.oneof == nil { write(field, message, &out) }
        for oneof in message.oneofs { write(oneof, &out) }
        out.line("encoding.unknownFields(unknownFields, c)")
        out.line("encoding.leave()")
        out.line("return c")
      }
    }
  }

  // MARK: from C

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

  /// Loops are written out: calls of generic functions of another module cost more than the work.
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

  /// The Swift value of a C scalar.
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

  /// A map entry's key or value; what is missing is zero.
  private func swiftOrZero(_ field: Field, _ message: MessageType) -> String {
    let value = "c.pointee.\(field.cPath)"
    if field.message != nil {
      let element = types.element(field, in: message)
      return "c.pointee.\(field.cPath).map { \(element)(reading: $0) } ?? \(element)()"
    }
    // libprotobuf-c has zeroed the struct: what is missing reads as zero, "" and [].
    return swift(field, message, value)
  }

  // MARK: to C

  private func write(_ field: Field, _ message: MessageType, _ out: inout Writer) {
    let place = "c.pointee.\(field.cPath)"
    let name = field.access
    if field.isRepeated {
      out.block("if !\(name).isEmpty") { out in
        if field.isMap {
          writeMap(field, place, &out)
        } else if let element = field.message {
          writeArray(element, place, name, &out) { out in
            out.line("elements[index] = \(name)[index].encoded(&encoding)")
          }
        } else {
          out.line("\(place) = \(array(field))")
        }
        out.line("c.pointee.n_\(field.proto.name) = \(name).count")
      }
    } else if field.message != nil {
      let source = field.isBoxed ? "\(field.storage)?.value" : name
      out.line("if let value = \(source) { \(place) = value.encoded(&encoding) }")
    } else {
      let condition: String
      switch field.presence {
      case .explicit: condition = "let value = \(name)"
      case .legacy: condition = "let value = \(field.storage)"
      case .implicit: condition = isSet(field)
      }
      let value = field.presence == .implicit ? name : "value"
      out.block("if \(condition)") { out in
        out.line("\(place) = \(c(field, value))")
        out.line("c.pointee.has_\(field.proto.name) = 1")
      }
    }
  }

  private func array(_ field: Field) -> String {
    let function =
      switch field.type {
      case .string: "strings"
      case .bytes: "byteStrings"
      case .bool: "booleans"
      case .enum: "enumerations"
      default: "numbers"
      }
    return "encoding.\(function)(\(field.access))"
  }

  /// Entries in an order that depends on their keys only.
  private func writeMap(_ field: Field, _ place: String, _ out: inout Writer) {
    guard let entry = field.message, entry.fields.count == 2 else { return }
    let order = "\(types.library("MapOrder", "Protobuf")).precedes($0.key, $1.key)"
    out.line("let entries = \(field.access).sorted { \(order) }")
    writeArray(entry, place, "entries", &out) { out in
      out.line("let c = encoding.make(\(entry.cName)__descriptor())")
      out.line("  .assumingMemoryBound(to: \(entry.cName).self)")
      out.line("elements[index] = c")
      out.line("c.pointee.f_key = \(c(entry.fields[0], "entries[index].key"))")
      out.line("c.pointee.has_key = 1")
      if entry.fields[1].message != nil {
        // An entry is a message around the message.
        out.line("guard encoding.enter() else { break }")
        out.line("c.pointee.f_value = entries[index].value.encoded(&encoding)")
        out.line("encoding.leave()")
      } else {
        out.line("c.pointee.f_value = \(c(entry.fields[1], "entries[index].value"))")
        out.line("c.pointee.has_value = 1")
      }
    }
  }

  /// An array of pointers to structs, each made by `body` as `elements[index]`.
  private func writeArray(
    _ element: MessageType, _ place: String, _ source: String, _ out: inout Writer,
    _ body: (inout Writer) -> Void
  ) {
    out.line("let elements = encoding.pointers(\(source).count)")
    out.line("  .assumingMemoryBound(to: UnsafeMutablePointer<\(element.cName)>?.self)")
    out.block("for index in \(source).indices") { body(&$0) }
    out.line("\(place) = elements")
  }

  private func write(_ oneof: Oneof, _ out: inout Writer) {
    out.line("switch \(oneof.access) {")
    for field in oneof.fields {
      out.line("case .\(field.name)(let value):")
      out.line("  c.pointee.case_\(oneof.protoName) = \(field.number)")
      let value =
        field.message == nil ? c(field, "value") : "value.encoded(&encoding)"
      out.line("  c.pointee.\(field.cPath) = \(value)")
    }
    out.line("case nil: break")
    out.line("}")
  }

  /// Whether a field without presence is to be written: -0.0 is, so the bits decide.
  private func isSet(_ field: Field) -> String {
    switch field.type {
    case .string, .bytes: "!\(field.access).isEmpty"
    case .bool: field.access
    case .enum: "\(field.access).rawValue != 0"
    case .float, .double: "\(field.access).bitPattern != 0"
    default: "\(field.access) != 0"
    }
  }

  /// The C value of a Swift scalar.
  private func c(_ field: Field, _ value: String) -> String {
    switch field.type {
    case .string: "encoding.string(\(value))"
    case .bytes: "encoding.bytes(\(value))"
    case .bool: "\(value) ? 1 : 0"
    case .enum: "\(value).rawValue"
    default: value
    }
  }
}

extension Field {
  /// The property where the coding's own names are in scope.
  fileprivate var access: String { CodingNames.access(name) }
}

extension Oneof {
  fileprivate var access: String { CodingNames.access(name) }
}

/// Names that the coding of a message uses itself.
private enum CodingNames {
  private static let taken: Set = [
    "c", "element", "elements", "encoding", "entries", "index", "key", "value",
  ]

  static func access(_ name: String) -> String { taken.contains(name) ? "self.\(name)" : name }
}
