internal import Protobuf

/// The JSON form of messages: converts between wire format and JSON by a contract known at run
/// time.
///
/// It implements the complete proto3 JSON mapping, including the well-known types, as Google's
/// libraries read and write it. Neither direction builds a tree: JSON is written while the wire
/// format is read, and the reverse. Safe to use from any task.
/// Source: protobuf.dev, "ProtoJSON Format"; RFC 8259.
public struct JSONMapping: Sendable {
  /// The choices that the mapping leaves open.
  public struct Options: Sendable, Hashable {
    /// Whether to write fields without presence even if they are zero or empty.
    public var writesDefaults = false
    /// Whether to write the contract's `snake_case` names; both forms are always read.
    public var writesContractNames = false
    /// Whether to skip fields and enum values that the contract does not have. By default they are
    /// violations.
    public var ignoresUnknown = false
    /// The nesting depth of messages, objects and lists, as ``Protobuf/DecodeLimits/depth``.
    public var depth = 100

    /// Creates the defaults, those of the proto3 mapping.
    public init() {}
  }

  /// The types of the contract.
  public let registry: TypeRegistry
  /// The options in use.
  public let options: Options

  /// Creates the mapping of a contract's types.
  public init(_ registry: TypeRegistry, options: Options = Options()) {
    self.registry = registry
    self.options = options
  }

  /// Returns the JSON text of a message, without white space.
  /// - Throws: ``JSONPrintError``.
  public func json(fromWire wire: [UInt8], of type: MessageType) throws(JSONPrintError) -> [UInt8] {
    var printer = JSONPrinter(registry, options, capacity: wire.count * 2)
    try printer.message(wire, 0..<wire.count, type, depth: options.depth)
    return printer.output
  }

  /// Returns the wire format of a message from its JSON text.
  /// - Throws: ``JSONParseError`` with every wrong field.
  public func wire(fromJSON json: [UInt8], to type: MessageType) throws(JSONParseError) -> [UInt8] {
    var parser = JSONParser(registry, options, json)
    return try parser.parse(type)
  }

  /// Returns the wire format of a message of which the JSON text is one field.
  /// - Parameter name: The field's JSON or contract name.
  /// - Throws: ``JSONParseError`` with every wrong field.
  public func wire(
    fromJSON json: [UInt8], ofField name: String, to type: MessageType
  ) throws(JSONParseError) -> [UInt8] {
    var parser = JSONParser(registry, options, json)
    return try parser.parse(type, only: name)
  }

  /// Returns the text of a string field of a message in wire format; nil if there is none.
  /// - Parameter name: The field's contract name.
  package func text(of name: String, in wire: [UInt8], _ type: MessageType) -> String? {
    guard let field = type.fields.first(where: { $0.name == name }), field.kind == .string,
      !field.isRepeated
    else { return nil }
    var reader = WireReader(wire, 0..<wire.count)
    var text: String?
    do throws(DecodeError) {
      while !reader.isAtEnd {
        let tag = try reader.tag()
        if tag == field.number << 3 | 2 {
          text = String(validating: wire[try reader.content()], as: UTF8.self)
        } else {
          try reader.skip(tag, depth: options.depth)
        }
      }
    } catch {
      return nil
    }
    return text
  }
}

/// The error of a message that has no JSON form.
public enum JSONPrintError: Error, Sendable, Hashable {
  /// The bytes are not a message of that type; with the name of the `DecodeError`.
  case malformed(String)
  /// Messages nested deeper than ``JSONMapping/Options/depth``.
  case tooDeep
  /// A value without a JSON form, such as a timestamp beyond the year 9999.
  case unprintable(type: String, reason: String)
}

/// The error of a JSON text that is not the message: its wrong fields, up to ``violationsMax``.
public struct JSONParseError: Error, Sendable, Hashable {
  /// One wrong field, or the place where the text stops being JSON.
  public struct Violation: Sendable, Hashable {
    /// The path in JSON names, `application.areas[2].work`; empty for the whole text.
    public let field: String
    /// The cause, for people.
    public let reason: String

    /// Creates a violation at a path.
    public init(field: String, reason: String) {
      self.field = field
      self.reason = reason
    }
  }

  /// The number of violations after which the rest of the text is not read.
  public static let violationsMax = 100

  /// The violations, in the order of the text.
  public let violations: [Violation]
}
