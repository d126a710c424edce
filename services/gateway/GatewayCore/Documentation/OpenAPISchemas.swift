import GoogleProtobuf
import Protobuf

/// Translates messages and enums to JSON schemas (2020-12), by the JSON mapping of proto3.
///
/// Collects the types that were asked for, so that a document contains no unused ones.
struct OpenAPISchemas {
  private let book: ContractBook
  private var made: [String: JSONValue] = [:]

  init(_ book: ContractBook) { self.book = book }

  /// The schemas collected so far, with those that they refer to, sorted by name.
  var components: JSONValue {
    .object(made.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: $0.value) })
  }

  /// Returns the schema of a message by its full name.
  mutating func message(_ name: String) -> JSONValue {
    if let known = Self.wellKnown[name] { return known }
    if made[name] == nil, let entry = book.messages[name] {
      // A placeholder first: a message may contain itself.
      made[name] = [:]
      made[name] = schema(of: entry)
    }
    return reference(name)
  }

  /// Returns the schema of a field, with its comment.
  mutating func field(_ field: FieldDescriptorProto, comment: String) -> JSONValue {
    var schema = value(of: field)
    if field.label == .repeated, mapEntry(field) == nil {
      schema = ["type": "array", "items": schema]
    }
    return comment.isEmpty ? schema : schema.adding(["description": .string(comment)])
  }

  /// Returns the message of a field whose own fields can be stated in path and query.
  func fields(of field: FieldDescriptorProto) -> ContractBook.MessageEntry? {
    guard field.type == .message, field.label != .repeated else { return nil }
    let name = String(field.typeName.dropFirst())
    return Self.wellKnown[name] == nil ? book.messages[name] : nil
  }

  /// Whether a field of a message type is a single text in JSON, so that a query can state it.
  func isText(_ field: FieldDescriptorProto) -> Bool {
    guard let known = Self.wellKnown[String(field.typeName.dropFirst())] else { return false }
    return known["type"] != "object" && known["type"] != "array" && known["type"] != nil
  }

  private func reference(_ name: String) -> JSONValue {
    ["$ref": .string("#/components/schemas/\(name)")]
  }

  private mutating func schema(of entry: ContractBook.MessageEntry) -> JSONValue {
    var schema: JSONValue = ["type": "object"]
    if !entry.comment.isEmpty {
      schema = schema.adding(["description": .string(entry.comment)])
    }
    var properties: [JSONValue.Member] = []
    for (index, field) in entry.descriptor.field.enumerated() {
      var property = self.field(field, comment: entry.fieldComments[index])
      if field.hasOneofIndex, !field.proto3Optional {
        let choice = entry.descriptor.oneofDecl[Int(field.oneofIndex)].name
        property = property.adding(["x-one-of": .string(choice)])
      }
      properties.append(.init(name: field.publicName, value: property))
    }
    return schema.adding(["properties": .object(properties)])
  }

  private mutating func value(of field: FieldDescriptorProto) -> JSONValue {
    switch field.type {
    case .string: ["type": "string"]
    case .bytes: ["type": "string", "contentEncoding": "base64"]
    case .bool: ["type": "boolean"]
    case .int32, .sint32, .sfixed32: ["type": "integer", "format": "int32"]
    case .uint32, .fixed32: ["type": "integer", "format": "int64", "minimum": 0]
    // 64-bit integers exceed what a JSON number holds exactly: text, though numbers are read too.
    case .int64, .sint64, .sfixed64: ["type": ["string", "integer"], "format": "int64"]
    case .uint64, .fixed64: ["type": ["string", "integer"], "format": "uint64"]
    case .double, .float: ["type": ["number", "string"], "format": "double"]
    case .enum: enumeration(String(field.typeName.dropFirst()))
    case .message, .group, .unrecognized:
      if let entry = mapEntry(field) {
        map(entry)
      } else {
        message(String(field.typeName.dropFirst()))
      }
    }
  }

  private func mapEntry(_ field: FieldDescriptorProto) -> DescriptorProto? {
    guard field.type == .message, let entry = book.messages[String(field.typeName.dropFirst())],
      entry.descriptor.options?.mapEntry == true
    else { return nil }
    return entry.descriptor
  }

  private mutating func map(_ entry: DescriptorProto) -> JSONValue {
    let values = entry.field.first { $0.number == 2 }.map { value(of: $0) } ?? [:]
    return ["type": "object", "additionalProperties": values]
  }

  private mutating func enumeration(_ name: String) -> JSONValue {
    guard let entry = book.enums[name] else { return ["type": "string"] }
    if made[name] == nil {
      let told = zip(entry.descriptor.value, entry.valueComments).map { value, comment in
        "- `\(value.name)`" + (comment.isEmpty ? "" : ": \(comment)")
      }
      made[name] = [
        "type": "string",
        "description": .string(
          ([entry.comment] + told).filter { !$0.isEmpty }.joined(separator: "\n")),
        "enum": .array(entry.descriptor.value.map { .string($0.name) }),
      ]
    }
    return reference(name)
  }

  /// Types with a special JSON form. Source: google.protobuf's documentation, "ProtoJSON format".
  private static let wellKnown: [String: JSONValue] = [
    "google.protobuf.Timestamp": ["type": "string", "format": "date-time"],
    "google.protobuf.Duration": [
      "type": "string", "pattern": #"^-?[0-9]+(\.[0-9]{1,9})?s$"#,
    ],
    "google.protobuf.FieldMask": ["type": "string"],
    "google.protobuf.Struct": ["type": "object"],
    "google.protobuf.Value": [:],
    "google.protobuf.ListValue": ["type": "array", "items": [:]],
    "google.protobuf.Any": [
      "type": "object", "properties": ["@type": ["type": "string"]], "required": ["@type"],
    ],
    "google.protobuf.BoolValue": ["type": "boolean"],
    "google.protobuf.StringValue": ["type": "string"],
    "google.protobuf.BytesValue": ["type": "string", "contentEncoding": "base64"],
    "google.protobuf.Int32Value": ["type": "integer", "format": "int32"],
    "google.protobuf.UInt32Value": ["type": "integer", "format": "int64", "minimum": 0],
    "google.protobuf.Int64Value": ["type": ["string", "integer"], "format": "int64"],
    "google.protobuf.UInt64Value": ["type": ["string", "integer"], "format": "uint64"],
    "google.protobuf.DoubleValue": ["type": ["number", "string"], "format": "double"],
    "google.protobuf.FloatValue": ["type": ["number", "string"], "format": "double"],
  ]
}

extension FieldDescriptorProto {
  /// The field's name in JSON.
  var publicName: String {
    hasJsonName ? jsonName : JSONName.of(name)
  }
}
