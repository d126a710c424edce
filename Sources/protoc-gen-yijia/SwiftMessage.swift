import GoogleProtobuf

/// Generates the declaration of a message's Swift value.
struct SwiftMessage {
  private let types: SwiftTypes

  init(_ types: SwiftTypes) { self.types = types }

  func declare(_ message: MessageType, _ out: inout Writer) {
    out.line()
    out.documentation(message.comment)
    let conformance = types.library("Message", "Protobuf")
    out.block("public struct \(message.name): \(conformance)") { out in
      for field in message.fields where field.oneof == nil {
        property(field, in: message, &out)
      }
      for oneof in message.oneofs {
        out.documentation(message.file.comments[oneof.path])
        out.line("public var \(oneof.name): \(oneof.typeName)?")
      }
      let unknown = types.library("UnknownFields", "Protobuf")
      out.line("public var unknownFields = \(unknown)()")
      out.line()
      out.line("public init() {}")
      for oneof in message.oneofs { declare(oneof, in: message, &out) }
      for each in message.enums { SwiftEnum(types).declare(each, &out) }
      for nested in message.messages where !nested.isMapEntry { declare(nested, &out) }
    }
  }

  private func property(_ field: Field, in message: MessageType, _ out: inout Writer) {
    let comment = message.file.comments[field.path]
    let type = types.property(field, in: message)
    if field.isRepeated || field.presence == .implicit {
      out.documentation(comment)
      out.line("public var \(field.name): \(type) = \(types.zero(field))")
    } else if field.presence == .legacy {
      legacy(field, type, comment, &out)
    } else if field.isBoxed, let inner = field.message {
      let box = types.library("Box", "Protobuf")
      let element = types.name(of: inner, in: message)
      out.line("private var \(field.storage): \(box)<\(element)>?")
      out.documentation(comment)
      out.block("public var \(field.name): \(type)") { out in
        out.line("get { \(field.storage)?.value }")
        out.line("set { \(field.storage) = newValue.map { \(box)($0) } }")
      }
    } else {
      out.documentation(comment)
      out.line("public var \(field.name): \(type)")
    }
  }

  private func legacy(_ field: Field, _ type: String, _ comment: [String], _ out: inout Writer) {
    let suffix = Names.upperCamel(field.proto.name)
    out.line("private var \(field.storage): \(type)?")
    out.documentation(comment)
    out.block("public var \(field.name): \(type)") { out in
      out.line("get { \(field.storage) ?? \(types.zero(field)) }")
      out.line("set { \(field.storage) = newValue }")
    }
    out.line("public var has\(suffix): Bool { \(field.storage) != nil }")
    out.line("public mutating func clear\(suffix)() { \(field.storage) = nil }")
  }

  private func declare(_ oneof: Oneof, in message: MessageType, _ out: inout Writer) {
    out.line()
    out.documentation(message.file.comments[oneof.path])
    let needs = "\(types.library("Sendable")), \(types.library("Hashable"))"
    let all = oneof.fields.allSatisfy(\.isBoxed)
    out.block("public \(all ? "indirect " : "")enum \(oneof.typeName): \(needs)") { out in
      for field in oneof.fields {
        out.documentation(message.file.comments[field.path])
        let prefix = field.isBoxed && !all ? "indirect case" : "case"
        out.line("\(prefix) \(field.name)(\(types.element(field, in: message)))")
      }
    }
  }
}

extension Field {
  /// The stored property behind a computed one.
  var storage: String { "_" + Names.lowerCamel(proto.name) }
}

/// Generates the Swift enum of an enum in a contract.
struct SwiftEnum {
  private let types: SwiftTypes

  init(_ types: SwiftTypes) { self.types = types }

  func declare(_ each: EnumType, _ out: inout Writer) {
    var seen: Set<Int32> = []
    let values = each.proto.value.enumerated().map { (index: Int32($0), value: $1) }
    let cases = values.filter { seen.insert($0.value.number).inserted }
    let int32 = types.library("Int32")
    let string = types.library("String")
    out.line()
    out.documentation(each.comment)
    out.block("public enum \(each.name): \(types.library("Enumeration", "Protobuf"))") { out in
      for (index, value) in cases {
        out.documentation(each.file.comments[each.path + [2, index]])
        out.line("case \(each.caseName(value))")
      }
      out.line("/// A number that the contract did not know when this was built.")
      out.line("case unrecognized(\(int32))")
      for (_, value) in values where !cases.contains(where: { $0.value.name == value.name }) {
        let same = cases.first { $0.value.number == value.number }.map { each.caseName($0.value) }
        out.line("public static var \(each.caseName(value)): Self { .\(same ?? "") }")
      }
      out.line()
      out.line("public init() { self = .\(each.defaultCase) }")
      out.line()
      out.block("public init(rawValue: \(int32))") { out in
        out.line("switch rawValue {")
        for (_, value) in cases {
          out.line("case \(value.number): self = .\(each.caseName(value))")
        }
        out.line("default: self = .unrecognized(rawValue)")
        out.line("}")
      }
      out.line()
      table(
        "rawValue: \(int32)", cases.map { ("\($0.value.number)", $0.value) }, "number", each, &out)
      out.line()
      table(
        "protoName: \(string)?", cases.map { ("\"\($0.value.name)\"", $0.value) }, "nil", each, &out
      )
      out.line()
      out.block("public static let allCases: [\(types.name(of: each))] = [", "]") { out in
        for (_, value) in cases { out.line(".\(each.caseName(value)),") }
      }
    }
  }

  private func table(
    _ property: String, _ rows: [(String, EnumValueDescriptorProto)], _ other: String,
    _ each: EnumType,
    _ out: inout Writer
  ) {
    out.block("public var \(property)") { out in
      out.line("switch self {")
      for (result, value) in rows { out.line("case .\(each.caseName(value)): \(result)") }
      out.line("case .unrecognized\(other == "nil" ? "" : "(let number)"): \(other)")
      out.line("}")
    }
  }
}
