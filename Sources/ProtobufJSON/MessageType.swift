/// A message type as a contract describes it.
public final class MessageType: Sendable {
  /// `package.Name`, with the names of enclosing messages.
  public let fullName: String
  /// In the order of their numbers.
  public let fields: [FieldType]
  /// Made by the compiler for a map field.
  public let isMapEntry: Bool
  /// Set where JSON has a form of its own for the type.
  let wellKnown: WellKnown?

  private let byName: [String: Int]

  init(fullName: String, fields: [FieldType], isMapEntry: Bool) {
    self.fullName = fullName
    self.fields = fields.sorted { $0.number < $1.number }
    self.isMapEntry = isMapEntry
    wellKnown = WellKnown(fullName)
    var names: [String: Int] = [:]
    for (index, field) in self.fields.enumerated() { names[field.name] = index }
    // The JSON name wins where it is another field's name.
    for (index, field) in self.fields.enumerated() { names[field.jsonName] = index }
    byName = names
  }

  /// Where the field of that JSON or contract name lies in ``fields``.
  func index(named name: String) -> Int? { byName[name] }

  /// Where the field of that number lies in ``fields``.
  func index(numbered number: UInt32) -> Int? {
    // Most contracts number from 1 without gaps.
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

/// A field as a contract describes it.
public struct FieldType: Sendable {
  /// What a value is; messages and enums by their place in the registry.
  enum Kind: Sendable, Hashable {
    case double, float, int32, int64, uint32, uint64, sint32, sint64
    case fixed32, fixed64, sfixed32, sfixed64, bool, string, bytes
    case enumeration(Int)
    case message(Int)

    var isMessage: Bool { if case .message = self { true } else { false } }

    /// A varint of which 32 bits count.
    var isNarrow: Bool {
      switch self {
      case .int32, .uint32, .sint32, .enumeration: true
      default: false
      }
    }
  }

  public let number: UInt32
  public let name: String
  public let jsonName: String
  let kind: Kind
  public let isRepeated: Bool
  public let isMap: Bool
  /// Whether "not set" differs from the zero value.
  public let hasPresence: Bool
  /// Which oneof of the message it belongs to; not for proto3 `optional`.
  let oneof: Int?
}

/// An enum type as a contract describes it.
final class EnumType: Sendable {
  let fullName: String
  private let names: [Int32: String]
  private let numbers: [String: Int32]

  init(fullName: String, values: [(name: String, number: Int32)]) {
    self.fullName = fullName
    // Of two names for a number the first is written, both are read.
    names = Dictionary(values.map { ($0.number, $0.name) }) { first, _ in first }
    numbers = Dictionary(values.map { ($0.name, $0.number) }) { first, _ in first }
  }

  var isNull: Bool { fullName == "google.protobuf.NullValue" }

  func name(of number: Int32) -> String? { names[number] }
  func number(of name: String) -> Int32? { numbers[name] }
}

/// The types for which the JSON mapping has a form of its own.
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
