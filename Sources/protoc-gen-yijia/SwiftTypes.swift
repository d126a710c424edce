import GoogleProtobuf

/// Spells the names of types in a module's generated code.
struct SwiftTypes {
  private let module: String
  private let local: Set<String>

  init(_ module: String, _ schema: Schema) {
    self.module = module
    local = schema.typeNames(in: module)
  }

  /// Returns a type of the standard library, the Protobuf module or the RPC module; qualified by
  /// its module if a contract uses the same name.
  func library(_ name: String, _ library: String = "Swift") -> String {
    local.contains(name) ? "\(library).\(name)" : name
  }

  func name(of message: MessageType, in scope: MessageType? = nil) -> String {
    qualified(message.swiftPath, message.file.module, scope)
  }

  func name(of each: EnumType, in scope: MessageType? = nil) -> String {
    qualified(each.swiftPath, each.file.module, scope)
  }

  private func qualified(_ path: String, _ home: String, _ scope: MessageType?) -> String {
    guard home == module else { return "\(home).\(path)" }
    // A nested type may hide one of the same name in an outer scope.
    let first = path.prefix { $0 != "." }
    var outer = scope
    while let each = outer {
      let hides =
        each.messages.contains { $0.name == first } || each.enums.contains { $0.name == first }
        || each.oneofs.contains { $0.typeName == first }
      if hides { return "\(home).\(path)" }
      outer = each.parent
    }
    return path
  }

  /// Returns the type of a single value of a field.
  func element(_ field: Field, in scope: MessageType?) -> String {
    if let message = field.message { return name(of: message, in: scope) }
    if let each = field.enumeration { return name(of: each, in: scope) }
    return switch field.type {
    case .int32, .sint32, .sfixed32: library("Int32")
    case .uint32, .fixed32: library("UInt32")
    case .int64, .sint64, .sfixed64: library("Int64")
    case .uint64, .fixed64: library("UInt64")
    case .float: library("Float")
    case .double: library("Double")
    case .bool: library("Bool")
    case .string: library("String")
    default: "[\(library("UInt8"))]"
    }
  }

  /// Returns the type of a field's property.
  func property(_ field: Field, in scope: MessageType) -> String {
    if field.isMap, let entry = field.message, entry.fields.count == 2 {
      return "[\(element(entry.fields[0], in: scope)): \(element(entry.fields[1], in: scope))]"
    }
    let element = element(field, in: scope)
    if field.isRepeated { return "[\(element)]" }
    return field.presence == .explicit ? "\(element)?" : element
  }

  /// Returns the value of a field that is not set.
  func zero(_ field: Field) -> String {
    if field.isMap { return "[:]" }
    if field.isRepeated { return "[]" }
    if field.message != nil { return "nil" }
    if let each = field.enumeration {
      let named = each.proto.value.first { $0.name == field.proto.defaultValue }
      return "." + (named.map(each.caseName) ?? each.defaultCase)
    }
    let given = field.proto.defaultValue
    switch field.type {
    case .string: return given.isEmpty ? "\"\"" : given.debugDescription
    case .bytes: return "[]"
    case .bool: return given.isEmpty ? "false" : given
    default: return given.isEmpty ? "0" : given
    }
  }
}
