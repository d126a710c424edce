import GoogleProtobuf

/// A message of a contract.
final class MessageType {
  let proto: DescriptorProto
  unowned let file: File
  unowned let parent: MessageType?
  let path: [Int32]
  /// The Swift name, without the enclosing types.
  let name: String
  /// The proto name, `package.Outer.Inner`.
  let fullName: String
  var messages: [MessageType] = []
  var enums: [EnumType] = []
  /// The fields, ordered by number.
  var fields: [Field] = []
  var oneofs: [Oneof] = []
  /// The estimated size of a Swift value in bytes.
  var swiftByteCount = 0

  init(_ proto: DescriptorProto, _ file: File, _ parent: MessageType?, _ path: [Int32]) {
    self.proto = proto
    self.file = file
    self.parent = parent
    self.path = path
    name = Names.type(proto.name, kind: "Message")
    let scope = parent?.fullName ?? file.proto.package
    fullName = scope.isEmpty ? proto.name : "\(scope).\(proto.name)"
  }

  var isMapEntry: Bool { proto.options?.mapEntry ?? false }
  /// The Swift name with the enclosing types, `Outer.Inner`.
  var swiftPath: String { parent.map { "\($0.swiftPath).\(name)" } ?? name }
  var cName: String { fullName.split(separator: ".").joined(separator: "__") }
  var comment: [String] { file.comments[path] }
  var withNested: [MessageType] { [self] + messages.flatMap(\.withNested) }
}

/// An enum of a contract.
final class EnumType {
  let proto: EnumDescriptorProto
  unowned let file: File
  unowned let parent: MessageType?
  let path: [Int32]
  let name: String
  let fullName: String

  init(_ proto: EnumDescriptorProto, _ file: File, _ parent: MessageType?, _ path: [Int32]) {
    self.proto = proto
    self.file = file
    self.parent = parent
    self.path = path
    name = Names.type(proto.name, kind: "Enum")
    let scope = parent?.fullName ?? file.proto.package
    fullName = scope.isEmpty ? proto.name : "\(scope).\(proto.name)"
  }

  var swiftPath: String { parent.map { "\($0.swiftPath).\(name)" } ?? name }
  var cName: String { fullName.split(separator: ".").joined(separator: "__") }
  var comment: [String] { file.comments[path] }

  func caseName(_ value: EnumValueDescriptorProto) -> String {
    Names.enumCase(value.name, of: proto.name)
  }

  /// The case of a field without a value.
  var defaultCase: String { proto.value.first.map(caseName) ?? "unrecognized(0)" }
}

/// A oneof with its members.
final class Oneof {
  let protoName: String
  /// The index among the message's oneofs.
  let index: Int
  let path: [Int32]
  let name: String
  let typeName: String
  var fields: [Field] = []

  init(_ name: String, index: Int, path: [Int32], taken: Set<String>) {
    protoName = name
    self.index = index
    self.path = path
    self.name = Names.member(name)
    let type = Names.type(Names.upperCamel(name), kind: "Choice")
    typeName = taken.contains(type) ? type + "Choice" : type
  }
}

/// A field of a message.
final class Field {
  /// How an unset field differs from one with the zero value of its type.
  enum Presence {
    /// Not at all: proto3's scalars.
    case implicit
    /// It is nil.
    case explicit
    /// By `has…`: proto2's optional scalars, which have default values.
    case legacy
  }

  let proto: FieldDescriptorProto
  let path: [Int32]
  // Unowned, since types may refer to each other in cycles; the schema owns them.
  unowned let message: MessageType?
  unowned let enumeration: EnumType?
  unowned let oneof: Oneof?
  let presence: Presence
  let isPacked: Bool
  /// Whether the Swift value stores it behind a reference.
  var isBoxed = false

  init(
    _ proto: FieldDescriptorProto, path: [Int32], isProto3: Bool, message: MessageType?,
    enumeration: EnumType?, oneof: Oneof?
  ) {
    self.proto = proto
    self.path = path
    self.message = message
    self.enumeration = enumeration
    self.oneof = oneof
    presence =
      message != nil || proto.proto3Optional ? .explicit : isProto3 ? .implicit : .legacy
    let isPackable = message == nil && ![.string, .bytes].contains(proto.type)
    isPacked =
      proto.label == .repeated && isPackable
      && (proto.options.map { $0.hasPacked ? $0.packed : isProto3 } ?? isProto3)
  }

  var number: Int32 { proto.number }
  var type: FieldDescriptorProto.TypeEnum { proto.type }
  var isRepeated: Bool { proto.label == .repeated }
  var isMap: Bool { message?.isMapEntry ?? false }
  var name: String { Names.member(proto.name) }
  var cName: String { "f_\(proto.name)" }
  /// The location in the C struct: within the union of its oneof, or by itself.
  var cPath: String { oneof.map { "u_\($0.protoName).\(cName)" } ?? cName }
}
