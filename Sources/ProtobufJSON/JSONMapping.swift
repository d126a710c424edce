/// The JSON form of messages: between wire format and JSON, along a contract known at run time.
///
/// It is the proto3 JSON mapping in full, the well-known types included, as Google's libraries read
/// and write it. Neither way builds a tree: JSON is written while the wire is read and the other
/// way round. Safe to use from any task.
/// Source: protobuf.dev, "ProtoJSON Format"; RFC 8259.
public struct JSONMapping: Sendable {
  /// How JSON is written and read where the mapping leaves a choice.
  public struct Options: Sendable, Hashable {
    /// Writes fields that have no presence also when they are zero or empty.
    public var writesDefaults = false
    /// Writes the contract's `snake_case` names; both are always read.
    public var writesContractNames = false
    /// Reads over fields and enum values that the contract does not know. By default they are
    /// violations.
    public var ignoresUnknown = false
    /// Messages, objects and lists within each other, as ``Protobuf/DecodeLimits/depth``.
    public var depth = 100

    public init() {}
  }

  public let registry: TypeRegistry
  public let options: Options

  public init(_ registry: TypeRegistry, options: Options = Options()) {
    self.registry = registry
    self.options = options
  }

  /// The JSON text of a message, without white space.
  /// - Throws: ``JSONPrintError``.
  public func json(fromWire wire: [UInt8], of type: MessageType) throws(JSONPrintError) -> [UInt8] {
    var printer = JSONPrinter(registry, options, capacity: wire.count * 2)
    try printer.message(wire, 0..<wire.count, type, depth: options.depth)
    return printer.output
  }

  /// The wire format of a message from its JSON text.
  /// - Throws: ``JSONParseError``, which names every wrong field.
  public func wire(fromJSON json: [UInt8], to type: MessageType) throws(JSONParseError) -> [UInt8] {
    var parser = JSONParser(registry, options, json)
    return try parser.parse(type)
  }
}

/// Why a message has no JSON form.
public enum JSONPrintError: Error, Sendable, Hashable {
  /// The bytes are not that message; with `DecodeError`'s name of the reason.
  case malformed(String)
  /// Messages within messages beyond ``JSONMapping/Options/depth``.
  case tooDeep
  /// A value that JSON has no form for, such as a timestamp beyond the year 9999.
  case unprintable(type: String, reason: String)
}

/// Why a JSON text is not the message: each wrong field, up to ``violationsMax`` of them.
public struct JSONParseError: Error, Sendable, Hashable {
  /// One wrong field, or the place where the text ceases to be JSON.
  public struct Violation: Sendable, Hashable {
    /// Where, in JSON's names: `application.areas[2].work`; empty for the text as a whole.
    public let field: String
    public let reason: String

    public init(field: String, reason: String) {
      self.field = field
      self.reason = reason
    }
  }

  /// Violations that are gathered before the rest of the text is not looked at.
  public static let violationsMax = 100

  public let violations: [Violation]
}
