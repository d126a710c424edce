import GoogleProtobuf

/// The files of a request, with the names that generated code gives to their declarations.
final class Schema {
  private(set) var files: [File] = []
  private(set) var messages: [String: MessageType] = [:]
  private(set) var enums: [String: EnumType] = [:]

  init(_ request: CodeGeneratorRequest, _ options: Options) throws {
    let wanted = Set(request.fileToGenerate)
    for proto in request.protoFile {
      let file = File(
        proto, module: options.module(of: proto.package), isGenerated: wanted.contains(proto.name))
      for (index, message) in proto.messageType.enumerated() {
        file.messages.append(declare(message, file, nil, [4, Int32(index)]))
      }
      for (index, proto) in proto.enumType.enumerated() {
        file.enums.append(declare(proto, file, nil, [5, Int32(index)]))
      }
      files.append(file)
    }
    for message in messages.values { try resolve(message) }
    for message in messages.values { Layout.box(message) }
    for message in messages.values { message.swiftByteCount = Layout.byteCount(of: message) }
  }

  /// Returns the unqualified names of all types in a module, including nested ones.
  func typeNames(in module: String) -> Set<String> {
    var names: Set<String> = []
    for message in messages.values where message.file.module == module {
      names.insert(message.name)
      names.formUnion(message.oneofs.map(\.typeName))
    }
    for each in enums.values where each.file.module == module { names.insert(each.name) }
    return names
  }

  private func declare(
    _ proto: DescriptorProto, _ file: File, _ parent: MessageType?, _ path: [Int32]
  ) -> MessageType {
    let message = MessageType(proto, file, parent, path)
    messages[message.fullName] = message
    for (index, nested) in proto.nestedType.enumerated() {
      message.messages.append(declare(nested, file, message, path + [3, Int32(index)]))
    }
    for (index, nested) in proto.enumType.enumerated() {
      message.enums.append(declare(nested, file, message, path + [4, Int32(index)]))
    }
    return message
  }

  private func declare(
    _ proto: EnumDescriptorProto, _ file: File, _ parent: MessageType?, _ path: [Int32]
  ) -> EnumType {
    let each = EnumType(proto, file, parent, path)
    enums[each.fullName] = each
    return each
  }

  /// Creates the fields of a message, once every type is declared.
  private func resolve(_ message: MessageType) throws {
    let typeNames = Set(message.messages.map(\.name) + message.enums.map(\.name))
    var oneofs: [Oneof] = []
    for (index, proto) in message.proto.oneofDecl.enumerated() {
      oneofs.append(
        Oneof(proto.name, index: index, path: message.path + [8, Int32(index)], taken: typeNames))
    }
    for (index, proto) in message.proto.field.enumerated() {
      let typeName = String(proto.typeName.drop { $0 == "." })
      let oneof = proto.hasOneofIndex && !proto.proto3Optional ? oneofs[Int(proto.oneofIndex)] : nil
      let field = Field(
        proto, path: message.path + [2, Int32(index)], isProto3: message.file.isProto3,
        message: messages[typeName], enumeration: enums[typeName], oneof: oneof)
      if [.message, .enum].contains(proto.type), field.message == nil, field.enumeration == nil {
        throw GeneratorError("\(message.fullName).\(proto.name): no type \(typeName)")
      }
      if proto.type == .group {
        throw GeneratorError("\(message.fullName).\(proto.name): groups are not supported")
      }
      message.fields.append(field)
      oneof?.fields.append(field)
    }
    message.fields.sort { $0.number < $1.number }
    // The synthetic oneofs of proto3's `optional` fields have no members here.
    message.oneofs = oneofs.filter { !$0.fields.isEmpty }
  }
}

/// A .proto file.
final class File {
  let proto: FileDescriptorProto
  let module: String
  let isGenerated: Bool
  let comments: Comments
  var messages: [MessageType] = []
  var enums: [EnumType] = []

  init(_ proto: FileDescriptorProto, module: String, isGenerated: Bool) {
    self.proto = proto
    self.module = module
    self.isGenerated = isGenerated
    comments = Comments(proto.sourceCodeInfo ?? SourceCodeInfo())
  }

  var isProto3: Bool { proto.syntax == "proto3" }

  /// `bench/v1/bench.proto` → `bench_v1_bench`.
  var cName: String {
    String(stem.map { $0 == "/" || $0 == "-" || $0 == "." ? "_" : $0 })
  }

  /// The file name without its folder: `bench/v1/bench.proto` → `bench`.
  var baseName: String { stem.split(separator: "/").last.map(String.init) ?? stem }

  private var stem: String {
    proto.name.hasSuffix(".proto") ? String(proto.name.dropLast(6)) : proto.name
  }

  /// All messages, each before the ones nested in it.
  var allMessages: [MessageType] { messages.flatMap(\.withNested) }
  /// All enums, those outside of messages first.
  var allEnums: [EnumType] { enums + allMessages.flatMap(\.enums) }
}
