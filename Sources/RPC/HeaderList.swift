/// An ordered list of HTTP header fields in one buffer. Names are lower case, values are bytes.
///
/// Raw exchanges (proxying) use it directly; `Metadata` is the gRPC view of one.
public struct HeaderList: Sendable {
  /// The location of a field in `bytes`: its name, directly followed by its value.
  package struct Field: Sendable {
    package var start: UInt32
    package var nameCount: UInt32
    package var valueCount: UInt32

    package var nameRange: Range<Int> { Int(start)..<Int(start) + Int(nameCount) }
    package var valueRange: Range<Int> {
      let from = Int(start) + Int(nameCount)
      return from..<from + Int(valueCount)
    }
  }

  package private(set) var bytes: [UInt8] = []
  package private(set) var fields: [Field] = []

  /// Creates an empty list.
  public init() {}

  /// Creates a list of some of another list's fields, which shares its buffer.
  package init(sharing other: HeaderList, fields: [Field]) {
    bytes = other.bytes
    self.fields = fields
  }

  /// The number of fields.
  public var count: Int { fields.count }
  /// Whether the list has no fields.
  public var isEmpty: Bool { fields.isEmpty }

  /// The size by the rule of SETTINGS_MAX_HEADER_LIST_SIZE: name + value + 32 bytes a field.
  /// Source: RFC 9113, section 6.5.2.
  public var listSize: Int {
    fields.reduce(0) { $0 + Int($1.nameCount) + Int($1.valueCount) + 32 }
  }

  /// Reserves capacity for a number of bytes and fields in total.
  public mutating func reserve(bytes byteCount: Int, fields fieldCount: Int) {
    bytes.reserveCapacity(byteCount)
    fields.reserveCapacity(fieldCount)
  }

  /// Appends a field. The name must already be lower case.
  public mutating func add(_ name: String, _ value: String) {
    let start = UInt32(bytes.count)
    bytes.append(contentsOf: name.utf8)
    let middle = UInt32(bytes.count)
    bytes.append(contentsOf: value.utf8)
    fields.append(
      Field(start: start, nameCount: middle - start, valueCount: UInt32(bytes.count) - middle))
  }

  /// Appends a field of raw bytes. The name must already be lower case.
  public mutating func add(name: RawSpan, value: RawSpan) {
    let start = UInt32(bytes.count)
    name.withUnsafeBytes { bytes.append(contentsOf: $0) }
    value.withUnsafeBytes { bytes.append(contentsOf: $0) }
    fields.append(
      Field(
        start: start, nameCount: UInt32(name.byteCount), valueCount: UInt32(value.byteCount)))
  }

  /// Replaces a field's value with another one of the same length.
  mutating func replaceValue(at index: Int, with value: RawSpan) {
    let range = fields[index].valueRange
    precondition(range.count == value.byteCount, "a value is replaced by one as long")
    for offset in 0..<value.byteCount {
      bytes[range.lowerBound + offset] = value.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }
  }

  /// Appends all fields of another list.
  public mutating func add(contentsOf other: HeaderList) {
    for index in 0..<other.count { add(field: index, of: other) }
  }

  package mutating func add(field index: Int, of other: HeaderList) {
    let field = other.fields[index]
    let start = UInt32(bytes.count)
    let from = Int(field.start)
    bytes.append(contentsOf: other.bytes[from..<field.valueRange.upperBound])
    fields.append(
      Field(start: start, nameCount: field.nameCount, valueCount: field.valueCount))
  }

  /// Returns the name of the field at an index.
  public func name(at index: Int) -> String {
    String(decoding: bytes[fields[index].nameRange], as: UTF8.self)
  }

  /// Returns the value at an index as text; invalid UTF-8 is replaced.
  public func value(at index: Int) -> String {
    String(decoding: bytes[fields[index].valueRange], as: UTF8.self)
  }

  /// Returns the value at an index as bytes.
  public func valueBytes(at index: Int) -> [UInt8] { Array(bytes[fields[index].valueRange]) }

  /// The first value with this name.
  public subscript(name: String) -> String? { firstIndex(of: name).map { value(at: $0) } }

  /// The value of the field with this name; nil if there is none or several.
  public func only(_ name: String) -> String? {
    let places = (0..<fields.count).lazy.filter { hasName(name, at: $0) }.prefix(2)
    return places.count == 1 ? places.first.map { value(at: $0) } : nil
  }

  /// Returns the index of the first field with this name.
  public func firstIndex(of name: String) -> Int? {
    (0..<fields.count).first { hasName(name, at: $0) }
  }

  /// Returns whether the field at an index has this name.
  public func hasName(_ name: String, at index: Int) -> Bool {
    let field = fields[index]
    guard Int(field.nameCount) == name.utf8.count else { return false }
    return bytes[field.nameRange].elementsEqual(name.utf8)
  }

  /// Removes all fields with this name.
  public mutating func remove(_ name: String) {
    guard firstIndex(of: name) != nil else { return }
    fields = (0..<fields.count).filter { !hasName(name, at: $0) }.map { fields[$0] }
  }

  /// Replaces all fields with this name by one, in the place of the first: pseudo-headers stay
  /// before all other fields.
  public mutating func set(_ name: String, _ value: String) {
    let place = firstIndex(of: name)
    remove(name)
    add(name, value)
    guard let place else { return }
    let field = fields.removeLast()
    fields.insert(field, at: place)
  }
}

extension HeaderList: Hashable {
  /// Returns whether both have the same fields, byte by byte and in the same order.
  public static func == (a: HeaderList, b: HeaderList) -> Bool {
    a.count == b.count
      && (0..<a.count).allSatisfy {
        a.fields[$0].nameCount == b.fields[$0].nameCount
          && a.bytes[Int(a.fields[$0].start)..<a.fields[$0].valueRange.upperBound]
            .elementsEqual(b.bytes[Int(b.fields[$0].start)..<b.fields[$0].valueRange.upperBound])
      }
  }

  /// Hashes the fields in their order.
  public func hash(into hasher: inout Hasher) {
    for field in fields {
      hasher.combine(field.nameCount)
      for byte in bytes[Int(field.start)..<field.valueRange.upperBound] { hasher.combine(byte) }
    }
  }
}

extension HeaderList: ExpressibleByDictionaryLiteral {
  /// Creates a list of these fields in their order; the names must be lower case.
  public init(dictionaryLiteral elements: (String, String)...) {
    for (name, value) in elements { add(name, value) }
  }
}

extension HeaderList: CustomStringConvertible {
  /// The fields as `name: value`, one on a line.
  public var description: String {
    (0..<count).map { "\(name(at: $0)): \(value(at: $0))" }.joined(separator: "\n")
  }
}

extension HeaderList {
  package func isReserved(at index: Int) -> Bool {
    ReservedHeader.isReserved(bytes.span.bytes.extracting(fields[index].nameRange))
  }

  /// Returns whether both lists share their storage, a cheaper check than equality.
  package func isIdentical(to other: HeaderList) -> Bool {
    bytes.withUnsafeBufferPointer { a in
      other.bytes.withUnsafeBufferPointer { a.baseAddress == $0.baseAddress }
    }
      && fields.withUnsafeBufferPointer { a in
        other.fields.withUnsafeBufferPointer {
          a.baseAddress == $0.baseAddress && a.count == $0.count
        }
      }
  }

  /// Passes the name and value of one field to `body` without copying them.
  package func withField<Result>(
    at index: Int, _ body: (_ name: RawSpan, _ value: RawSpan) -> Result
  ) -> Result {
    let (span, field) = (bytes.span.bytes, fields[index])
    return body(span.extracting(field.nameRange), span.extracting(field.valueRange))
  }

  /// Passes one value to `body` without copying it.
  package func withValue<Result>(at index: Int, _ body: (RawSpan) -> Result) -> Result {
    body(bytes.span.bytes.extracting(fields[index].valueRange))
  }
}
