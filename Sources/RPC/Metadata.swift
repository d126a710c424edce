/// Custom metadata of a call: an ordered multimap from lower-case names to text or bytes.
///
/// Names ending in `-bin` carry bytes, all others printable ASCII text. The names that HTTP and
/// gRPC reserve (`grpc-…`, `:…`, `content-type`, `te`) never appear here.
/// Source: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>, Custom-Metadata.
public struct Metadata: Sendable, Hashable {
  /// A value: text, or bytes under a name that ends in `-bin`.
  public enum Value: Sendable, Hashable {
    /// Printable ASCII text.
    case text(String)
    /// Bytes, which travel as base64.
    case binary([UInt8])
  }

  /// A name and its value.
  public struct Element: Sendable, Hashable {
    /// The lower-case name.
    public var name: String
    /// The value: binary if the name ends in `-bin`, otherwise text.
    public var value: Value

    /// Creates an element. It is checked when it is added to metadata, not here.
    public init(name: String, value: Value) {
      self.name = name
      self.value = value
    }
  }

  /// The fields in wire form, where `-bin` values are base64.
  package private(set) var list: HeaderList

  /// Creates metadata without fields.
  public init() { list = HeaderList() }

  package init(wire list: HeaderList) { self.list = list }

  /// Appends a text value.
  ///
  /// The name is lower-cased; it must then match `[0-9a-z_.-]+`, not be reserved, and not end in
  /// `-bin`. Any other name is a programming error and traps: check names from outside with
  /// `isValid(name:)`. Characters of the value other than printable ASCII become `?`, since values
  /// often come from a peer, and spaces at its ends are left out, as no field may have them. Send
  /// other text as bytes.
  public mutating func add(_ name: String, _ text: String) {
    let name = Self.lowercased(name)
    precondition(Self.isValid(name: name), "metadata name '\(name)' is not allowed")
    precondition(!name.hasSuffix("-bin"), "metadata '\(name)' takes bytes, not text")
    list.add(name, Self.isValid(text: text) ? text : Self.printable(text))
  }

  /// Appends a binary value. The name must be valid and end in `-bin`; any other traps.
  public mutating func add(_ name: String, _ bytes: [UInt8]) {
    let name = Self.lowercased(name)
    precondition(Self.isValid(name: name), "metadata name '\(name)' is not allowed")
    precondition(name.hasSuffix("-bin"), "metadata '\(name)' takes text, not bytes")
    list.add(name, Base64.encode(bytes))
  }

  /// The error of a name that custom metadata may not have, or not with a value of that kind.
  public struct InvalidElement: Error, Sendable, Hashable {
    /// The refused name.
    public let name: String
  }

  /// Appends an entry whose name comes from outside.
  /// - Throws: `InvalidElement` where the other functions trap.
  public mutating func add(checking element: Element) throws(InvalidElement) {
    let isBinary = if case .binary = element.value { true } else { false }
    let name = Self.lowercased(element.name)
    guard Self.isValid(name: name), name.hasSuffix("-bin") == isBinary else {
      throw InvalidElement(name: element.name)
    }
    switch element.value {
    case .text(let text): add(name, text)
    case .binary(let bytes): add(name, bytes)
    }
  }

  /// Appends all entries of another metadata.
  public mutating func add(contentsOf other: Metadata) { list.add(contentsOf: other.list) }

  /// Removes all entries with this name.
  public mutating func removeAll(_ name: String) { list.remove(name) }

  /// The first text value with this name.
  public subscript(text name: String) -> String? { name.hasSuffix("-bin") ? nil : list[name] }

  /// The first binary value with this name; nil also if it is not base64.
  public subscript(binary name: String) -> [UInt8]? {
    guard name.hasSuffix("-bin"), let index = list.firstIndex(of: name) else { return nil }
    return Self.binaries(list.valueBytes(at: index)).first
  }

  /// Returns all values with this name in order; a `-bin` field is first split at its commas.
  public func values(_ name: String) -> [Value] {
    var found: [Value] = []
    for index in 0..<list.count where list.hasName(name, at: index) {
      if name.hasSuffix("-bin") {
        found += Self.binaries(list.valueBytes(at: index)).map { .binary($0) }
      } else {
        found.append(.text(list.value(at: index)))
      }
    }
    return found
  }

  /// Returns the parts of a `-bin` field that are base64, padded or not.
  private static func binaries(_ field: [UInt8]) -> [[UInt8]] {
    Base64.pieces(of: field[...]).compactMap { Base64.decode($0) }
  }

  private static func lowercased(_ name: String) -> String {
    name.utf8.contains { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") }
      ? name.lowercased() : name
  }

  /// Returns whether a lower-case name may be used for custom metadata.
  public static func isValid(name: String) -> Bool {
    !name.isEmpty && !ReservedHeader.isReserved(name)
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
          UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }

  private static let space = UInt8(ascii: " ")

  private static func printable(_ text: String) -> String {
    let bytes = text.unicodeScalars.map { scalar in
      scalar.value >= 0x20 && scalar.value <= 0x7e ? UInt8(scalar.value) : UInt8(ascii: "?")
    }
    var kept = bytes[...]
    while kept.first == space { kept.removeFirst() }
    while kept.last == space { kept.removeLast() }
    return String(decoding: kept, as: UTF8.self)
  }

  /// Returns whether a text value can be sent unchanged: whether it is printable ASCII without a
  /// space at either end. Sources: gRPC's PROTOCOL-HTTP2, ASCII-Value; RFC 9113, section 8.2.1.
  public static func isValid(text: String) -> Bool {
    text.utf8.allSatisfy { $0 >= 0x20 && $0 <= 0x7e } && text.utf8.first != space
      && text.utf8.last != space
  }
}

extension Metadata: RandomAccessCollection {
  /// The index of the first field: 0.
  public var startIndex: Int { 0 }
  /// The index behind the last field: the number of fields.
  public var endIndex: Int { list.count }

  /// A field. Binary values that a peer has joined in one field are concatenated here;
  /// ``values(_:)`` has them one by one.
  public subscript(index: Int) -> Element {
    let name = list.name(at: index)
    guard name.hasSuffix("-bin") else {
      return Element(name: name, value: .text(list.value(at: index)))
    }
    // To store them separately would repeat the name for each comma that a peer sends.
    return Element(
      name: name, value: .binary(Self.binaries(list.valueBytes(at: index)).flatMap { $0 }))
  }
}

extension Metadata.Value: ExpressibleByStringLiteral {
  /// Creates a text value.
  public init(stringLiteral value: String) { self = .text(value) }
}

extension Metadata: ExpressibleByDictionaryLiteral {
  /// Creates metadata of these fields in their order. Traps where `add` does.
  public init(dictionaryLiteral elements: (String, Value)...) {
    self.init()
    for (name, value) in elements {
      switch value {
      case .text(let text): add(name, text)
      case .binary(let bytes): add(name, bytes)
      }
    }
  }
}

extension Metadata {
  /// Creates the custom metadata of received header fields, which shares their buffer.
  package init(custom fields: HeaderList) {
    var kept: [HeaderList.Field] = []
    kept.reserveCapacity(fields.count)
    for (index, field) in fields.fields.enumerated() where !fields.isReserved(at: index) {
      kept.append(field)
    }
    self.init(wire: HeaderList(sharing: fields, fields: kept))
  }
}
