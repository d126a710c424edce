internal import GoogleProtobuf
internal import Protobuf

/// The message and enum types of descriptor sets by name, for code that learns a contract at run
/// time, such as JSON, pages and reflection.
///
/// Immutable; safe to use from any task.
public final class TypeRegistry: Sendable {
  let messages: [MessageType]
  let enums: [EnumType]
  private let messagesByName: [String: Int]

  /// Creates a registry.
  /// - Parameter sets: Serialized `google.protobuf.FileDescriptorSet`s, such as a generated
  ///   module's `…Descriptors.fileDescriptorSet`. A file that occurs twice is read once.
  /// - Throws: ``TypeRegistryError``; `DecodeError` if an element is not a descriptor set.
  public init(_ sets: [[UInt8]]) throws {
    var builder = Builder()
    var files: Set<String> = []
    for set in sets {
      for file in try FileDescriptorSet(wireBytes: set).file where files.insert(file.name).inserted
      {
        let scope = file.package.isEmpty ? "" : ".\(file.package)"
        for message in file.messageType { builder.declare(message, in: scope) }
        for each in file.enumType { builder.declare(each, in: scope) }
      }
    }
    messages = try builder.resolve()
    enums = builder.enums
    messagesByName = builder.messagesByName
  }

  /// Returns the message type with a full name, without a leading dot; nil if no set has it.
  public func message(named name: String) -> MessageType? {
    messagesByName[name].map { messages[$0] }
  }
}

/// The error of descriptor sets that are incomplete or contradictory.
public enum TypeRegistryError: Error, Sendable, Hashable {
  /// The type of a field is in none of the sets.
  case unknownType(field: String, type: String)
  /// Two files declare the same name.
  case duplicateType(String)
  /// A field of a type that proto3 does not have.
  case unsupportedField(String)
}

extension TypeRegistry {
  /// Collects the declarations first, so that types may refer to each other in any order.
  private struct Builder {
    private var declared: [(name: String, descriptor: DescriptorProto)] = []
    private(set) var messagesByName: [String: Int] = [:]
    private(set) var enums: [EnumType] = []
    private var enumsByName: [String: Int] = [:]
    private var duplicate: String?

    mutating func declare(_ message: DescriptorProto, in scope: String) {
      let name = "\(scope).\(message.name)"
      let plain = String(name.dropFirst())
      if messagesByName.updateValue(declared.count, forKey: plain) != nil { duplicate = plain }
      declared.append((name, message))
      for inner in message.nestedType { declare(inner, in: name) }
      for inner in message.enumType { declare(inner, in: name) }
    }

    mutating func declare(_ descriptor: EnumDescriptorProto, in scope: String) {
      let name = "\(scope).\(descriptor.name)"
      enumsByName[name] = enums.count
      enums.append(
        EnumType(
          fullName: String(name.dropFirst()),
          values: descriptor.value.map { ($0.name, $0.number) }))
    }

    func resolve() throws -> [MessageType] {
      if let duplicate { throw TypeRegistryError.duplicateType(duplicate) }
      return try declared.map { name, descriptor in
        let plain = String(name.dropFirst())
        return MessageType(
          fullName: plain,
          fields: try descriptor.field.map { try field($0, of: plain) },
          isMapEntry: descriptor.options?.mapEntry ?? false)
      }
    }

    private func field(_ field: FieldDescriptorProto, of message: String) throws -> FieldType {
      let kind = try kind(field, of: message)
      // Members of a oneof, synthetic ones included, and messages have presence; lists and maps do
      // not.
      let isRepeated = field.label == .repeated
      return FieldType(
        number: UInt32(field.number), name: field.name,
        jsonName: field.hasJsonName ? field.jsonName : JSONName.of(field.name),
        kind: kind, isRepeated: isRepeated,
        isMap: isRepeated && self.isMapEntry(kind),
        hasPresence: field.hasOneofIndex || (kind.isMessage && !isRepeated),
        oneof: field.hasOneofIndex && !field.proto3Optional ? Int(field.oneofIndex) : nil)
    }

    private func isMapEntry(_ kind: FieldType.Kind) -> Bool {
      guard case .message(let index) = kind else { return false }
      return declared[index].descriptor.options?.mapEntry ?? false
    }

    private func kind(
      _ field: FieldDescriptorProto, of message: String
    ) throws -> FieldType.Kind {
      switch field.type {
      case .double: return .double
      case .float: return .float
      case .int64: return .int64
      case .uint64: return .uint64
      case .int32: return .int32
      case .fixed64: return .fixed64
      case .fixed32: return .fixed32
      case .bool: return .bool
      case .string: return .string
      case .bytes: return .bytes
      case .uint32: return .uint32
      case .sfixed32: return .sfixed32
      case .sfixed64: return .sfixed64
      case .sint32: return .sint32
      case .sint64: return .sint64
      case .message:
        if let index = messagesByName[String(field.typeName.dropFirst())] { return .message(index) }
      case .enum:
        if let index = enumsByName[field.typeName] { return .enumeration(index) }
      case .group, .unrecognized:
        throw TypeRegistryError.unsupportedField("\(message).\(field.name)")
      }
      throw TypeRegistryError.unknownType(
        field: "\(message).\(field.name)", type: field.typeName)
    }
  }
}
