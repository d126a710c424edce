/// A message type of a contract.
public final class MessageType: Sendable {
  /// The full name, `package.Name`, with the names of enclosing messages.
  public let fullName: String
  /// The fields, ordered by number.
  public let fields: [FieldType]
  /// Whether the compiler made the type for a map field.
  public let isMapEntry: Bool
  /// The type's own JSON form; nil if it has none.
  let wellKnown: WellKnown?

  private let byName: [String: Int]

  init(fullName: String, fields: [FieldType], isMapEntry: Bool) {
    self.fullName = fullName
    self.fields = fields.sorted { $0.number < $1.number }
    self.isMapEntry = isMapEntry
    wellKnown = WellKnown(fullName)
    var names: [String: Int] = [:]
    for (index, field) in self.fields.enumerated() { names[field.name] = index }
    // A JSON name takes precedence over the contract's name of another field.
    for (index, field) in self.fields.enumerated() { names[field.jsonName] = index }
    byName = names
  }

  /// Returns the index in ``fields`` of the field with a JSON or contract name.
  func index(named name: String) -> Int? { byName[name] }

  /// Returns the index in ``fields`` of the field with a number.
  func index(numbered number: UInt32) -> Int? {
    // Most contracts number their fields from 1 without gaps.
    if number >= 1, Int(number) <= fields.count, fields[Int(number) - 1].number == number {
      return Int(number) - 1
    }
    var low = 0
    var high = fields.count
    while low < high {
      let middle = (low + high) / 2
      if fields[middle].number < number { low = middle + 1 } else { high = middle }
    }
    return low < fields.count && fields[low].number == number ? low : nil
  }
}

/// A field of a contract.
public struct FieldType: Sendable {
  /// The type of a value; messages and enums by their index in the registry.
  enum Kind: Sendable, Hashable {
    case double, float, int32, int64, uint32, uint64, sint32, sint64
    case fixed32, fixed64, sfixed32, sfixed64, bool, string, bytes
    case enumeration(Int)
    case message(Int)

    var isMessage: Bool { if case .message = self { true } else { false } }

    /// Whether the value is a varint of which 32 bits count.
    var isNarrow: Bool {
      switch self {
      case .int32, .uint32, .sint32, .enumeration: true
      default: false
      }
    }
  }

  /// The field number.
  public let number: UInt32
  /// The name in the contract.
  public let name: String
  /// The name in JSON.
  public let jsonName: String
  let kind: Kind
  /// Whether the field is a list or a map.
  public let isRepeated: Bool
  /// Whether the field is a map.
  public let isMap: Bool
  /// Whether a set field differs from one with the zero value.
  public let hasPresence: Bool
  /// The index of the field's oneof in the message; nil for proto3 `optional`.
  let oneof: Int?
}

/// An enum type of a contract.
final class EnumType: Sendable {
  let fullName: String
  private let names: [Int32: String]
  private let numbers: [String: Int32]

  init(fullName: String, values: [(name: String, number: Int32)]) {
    self.fullName = fullName
    // Of two names for a number, the first is written and both are read.
    names = Dictionary(values.map { ($0.number, $0.name) }) { first, _ in first }
    numbers = Dictionary(values.map { ($0.name, $0.number) }) { first, _ in first }
  }

  var isNull: Bool { fullName == "google.protobuf.NullValue" }

  /// The values that say something, as far as they can be listed in a message to people: without
  /// the zero value of proto3, `…_UNSPECIFIED`.
  var listed: [String]? {
    names.count > Self.listedMax
      ? nil : names.filter { $0.key != 0 }.sorted { $0.key < $1.key }.map(\.value)
  }

  private static let listedMax = 30

  func name(of number: Int32) -> String? { names[number] }
  func number(of name: String) -> Int32? { numbers[name] }
}

/// The types with a JSON form of their own.
/// Source: protobuf.dev, "ProtoJSON Format".
enum WellKnown: Sendable, Hashable {
  case any, duration, timestamp, fieldMask, structure, value, list, wrapper

  init?(_ fullName: String) {
    let prefix = "google.protobuf."
    guard fullName.hasPrefix(prefix) else { return nil }
    switch fullName.dropFirst(prefix.count) {
    case "Any": self = .any
    case "Duration": self = .duration
    case "Timestamp": self = .timestamp
    case "FieldMask": self = .fieldMask
    case "Struct": self = .structure
    case "Value": self = .value
    case "ListValue": self = .list
    case "DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value",
      "BoolValue", "StringValue", "BytesValue":
      self = .wrapper
    default: return nil
    }
  }
}
