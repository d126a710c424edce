import Yams

/// Decodes a configuration from what its file states, laid over the defaults, and collects every
/// fault instead of ending at the first.
///
/// An invalid or missing value is replaced by its default or by an empty one, so that decoding goes
/// on; the result is of use only where there is no fault.
struct ConfigurationDecoder: Decoder {
  /// What one decoding finds.
  final class Findings {
    /// Faults with the path of their field and their line; 0 is no line.
    private(set) var faults: [(path: String, text: String, line: Int)] = []
    private var readings: [Reading] = []

    func add(_ text: String, at path: String, _ node: Node?) {
      faults.append((path, text, node?.mark?.line ?? 0))
    }

    /// Creates the record of the keys that a type asks for in a mapping.
    func reading(_ mapping: Node.Mapping?, at path: String) -> Reading {
      let reading = Reading(mapping, at: path)
      readings.append(reading)
      return reading
    }

    /// Adds a fault for each stated key that no type asked for.
    func addUnknownKeys() {
      for reading in readings {
        guard let mapping = reading.mapping else { continue }
        for (key, _) in mapping {
          let name = key.string ?? "?"
          guard !reading.asked.contains(name) else { continue }
          add("unknown key", at: joined(reading.path, name), key)
        }
      }
    }

    /// The faults in the order of the file, each with the path of its field and its line.
    var texts: [String] {
      faults.sorted { $0.line < $1.line }.map { path, text, line in
        "\(path): \(text)" + (line > 0 ? " (line \(line))" : "")
      }
    }

    /// The error of all faults, with others that are about what could be read.
    func error(in file: String, with others: [String]) -> ConfigurationError {
      let all = texts + others.filter { !cover($0) }
      return ConfigurationError("\(file): " + all.joined(separator: "; "))
    }

    /// Whether a text, `FIELD: what it may be`, is about an invalid value or a part of one.
    private func cover(_ text: String) -> Bool {
      faults.contains { fault in
        text.hasPrefix(fault.path) && ":.[".contains(text.dropFirst(fault.path.count).prefix(1))
      }
    }
  }

  /// The keys of one mapping that were asked for.
  final class Reading {
    let mapping: Node.Mapping?
    let path: String
    var asked: Set<String> = []

    init(_ mapping: Node.Mapping?, at path: String) {
      self.mapping = mapping
      self.path = path
    }
  }

  let findings: Findings
  /// Path of the value, such as `partners[0].id`.
  let path: String
  /// The value in the file; nil where the file does not state it.
  let stated: Node?
  /// The value of the defaults; nil where they have none.
  let standard: Node?
  /// Whether this is part of an invalid value, of which nothing more is said.
  let isCovered: Bool

  init(
    _ stated: Node?, over standard: Node?, at path: String, _ findings: Findings,
    isCovered: Bool = false
  ) {
    self.findings = findings
    self.path = path
    self.stated = stated
    self.standard = standard
    self.isCovered = isCovered
  }

  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    // Nothing behind the key of a section states nothing of it.
    let isStated = stated != nil && !(stated.isNothing && standard?.mapping != nil)
    let isWrong = isStated ? stated?.mapping == nil : standard == nil
    if isWrong { refuse("keys with values") }
    let reading = findings.reading(stated?.mapping, at: path)
    return KeyedDecodingContainer(
      KeyedValues<Key>(decoder: self, reading: reading, isCovered: isCovered || isWrong))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    if let list = stated?.sequence { return ListedValues(decoder: self, list: Array(list)) }
    if stated != nil || standard == nil { refuse("a list") }
    return ListedValues(decoder: self, list: standard?.sequence.map(Array.init) ?? [])
  }

  func singleValueContainer() throws -> any SingleValueDecodingContainer { self }

  /// Records that the value is missing or of another kind than expected.
  private func refuse(_ expected: String) {
    guard !isCovered else { return }
    switch stated {
    case nil: findings.add("missing, expected \(expected)", at: path, nil)
    case .scalar(let scalar)? where !stated.isNothing:
      findings.add("expected \(expected), not \"\(scalar.string.prefix(40))\"", at: path, stated)
    case .scalar?: findings.add("expected \(expected), not nothing", at: path, stated)
    case .sequence?: findings.add("expected \(expected), not a list", at: path, stated)
    case let stated?: findings.add("expected \(expected), not keys with values", at: path, stated)
    }
  }
}

extension ConfigurationDecoder: SingleValueDecodingContainer {
  func decodeNil() -> Bool { (stated ?? standard).isNothing }

  func decode<Value: Decodable & ScalarConstructible>(_ type: Value.Type) throws -> Value {
    if let value = Self.scalar(type, stated) { return value }
    if stated != nil || standard == nil { refuse(Self.noun(of: type)) }
    let blanks = ["", "false", "0"].lazy.map { Node.Scalar($0) }
    if let value = Self.scalar(type, standard) ?? blanks.compactMap(type.construct).first {
      return value
    }
    throw DecodingError.typeMismatch(type, .init(codingPath: [], debugDescription: path))
  }

  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    do {
      return try Value(from: self)
    } catch {
      guard let type = type as? any CaseIterable.Type, let choices = Self.cases(type) as? [Value],
        let first = choices.first
      else { throw error }
      // A name that the enumeration does not have; what is not even text is recorded already.
      if Self.scalar(String.self, stated) != nil {
        let names = choices.map { "\(($0 as? any RawRepresentable)?.rawValue ?? $0)" }
        refuse("one of \(names.joined(separator: ", "))")
      }
      return first
    }
  }

  private static func cases<Choice: CaseIterable>(_ type: Choice.Type) -> [Any] {
    type.allCases.map { $0 }
  }

  private static func scalar<Value: ScalarConstructible>(
    _ type: Value.Type, _ node: Node?
  ) -> Value? {
    guard case .scalar(let scalar)? = node, !node.isNothing else { return nil }
    return type.construct(from: scalar)
  }

  private static func noun(of type: Any.Type) -> String {
    switch type {
    case is String.Type: "text"
    case is Bool.Type: "true or false"
    case is any BinaryInteger.Type: "a whole number"
    default: "a number"
    }
  }
}

/// The values of a mapping.
private struct KeyedValues<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let decoder: ConfigurationDecoder
  let reading: ConfigurationDecoder.Reading
  let isCovered: Bool

  var codingPath: [any CodingKey] { [] }

  var allKeys: [Key] {
    let nodes = [decoder.standard?.mapping, decoder.stated?.mapping].compactMap { $0 }
    return Set(nodes.flatMap(\.keys).compactMap(\.string)).sorted()
      .compactMap { Key(stringValue: $0) }
  }

  func contains(_ key: Key) -> Bool {
    let inner = value(of: key)
    return inner.stated != nil || inner.standard != nil
  }

  func decodeNil(forKey key: Key) throws -> Bool { value(of: key).decodeNil() }

  func decode<Value: Decodable & ScalarConstructible>(
    _ type: Value.Type, forKey key: Key
  ) throws -> Value {
    try value(of: key).decode(type)
  }

  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    try value(of: key).decode(type)
  }

  func nestedContainer<NestedKey>(
    keyedBy type: NestedKey.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<NestedKey> {
    try value(of: key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try value(of: key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder { decoder }
  func superDecoder(forKey key: Key) throws -> any Decoder { value(of: key) }

  private func value(of key: Key) -> ConfigurationDecoder {
    let name = key.stringValue
    reading.asked.insert(name)
    return ConfigurationDecoder(
      reading.mapping?.value(of: name), over: decoder.standard?.mapping?.value(of: name),
      at: joined(decoder.path, name), decoder.findings, isCovered: isCovered)
  }
}

/// The values of a list. A list in the file replaces the default's.
private struct ListedValues: UnkeyedDecodingContainer {
  let decoder: ConfigurationDecoder
  let list: [Node]
  private(set) var currentIndex = 0

  init(decoder: ConfigurationDecoder, list: [Node]) {
    self.decoder = decoder
    self.list = list
  }

  var codingPath: [any CodingKey] { [] }
  var count: Int? { list.count }
  var isAtEnd: Bool { currentIndex >= list.count }

  mutating func decodeNil() throws -> Bool {
    guard !isAtEnd, Optional(list[currentIndex]).isNothing else { return false }
    currentIndex += 1
    return true
  }

  mutating func decode<Value: Decodable & ScalarConstructible>(
    _ type: Value.Type
  ) throws -> Value {
    try next().decode(type)
  }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try next().decode(type)
  }

  mutating func nestedContainer<NestedKey>(
    keyedBy type: NestedKey.Type
  ) throws -> KeyedDecodingContainer<NestedKey> {
    try next().container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    try next().unkeyedContainer()
  }

  mutating func superDecoder() throws -> any Decoder { next() }

  private mutating func next() -> ConfigurationDecoder {
    defer { currentIndex += 1 }
    return ConfigurationDecoder(
      isAtEnd ? nil : list[currentIndex], over: nil, at: "\(decoder.path)[\(currentIndex)]",
      decoder.findings)
  }
}

extension Node.Mapping {
  /// The value of a key, whatever the tag that its text resolves to.
  func value(of key: String) -> Node? { first { $0.key.string == key }?.value }
}

extension Node? {
  /// Whether this is a value without content, such as `key:` or `key: null`.
  var isNothing: Bool {
    guard case .scalar(let scalar)? = self, scalar.style == .plain else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
  }
}

private func joined(_ path: String, _ name: String) -> String {
  path.isEmpty ? name : "\(path).\(name)"
}
