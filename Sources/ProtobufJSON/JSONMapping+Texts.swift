/// The values of one field as text, from the path or the query of an HTTP request.
public struct FieldTexts: Sendable, Hashable {
  /// The field's name, in JSON or in the contract, after the names of enclosing messages, with
  /// dots.
  public let path: String
  /// One value for a singular field, any number for a list of scalars.
  public let values: [String]

  /// Creates the texts of a field; an unknown path is found when they are mapped.
  public init(path: String, values: [String]) {
    self.path = path
    self.values = values
  }
}

extension JSONMapping {
  /// Returns the wire format of a message from texts for some of its fields. Each text is the JSON
  /// value without quotes: `5`, `true`, `ACTIVE`, `2026-11-21T08:00:00Z`.
  ///
  /// This is possible for scalars, lists of them, and the well-known types whose JSON is a single
  /// string or scalar. Source: google/api/http.proto, "query parameters".
  /// - Throws: ``JSONParseError`` with every wrong field.
  public func wire(
    fromTexts texts: [FieldTexts], to type: MessageType
  ) throws(JSONParseError) -> [UInt8] {
    var tree = TextTree()
    var violations: [JSONParseError.Violation] = []
    for text in texts {
      switch leaf(text, of: type) {
      case .success(let (path, json)):
        if !tree.put(json, at: path[...]) {
          violations.append(.init(field: path.joined(separator: "."), reason: "is given twice"))
        }
      case .failure(let refusal):
        violations.append(.init(field: refusal.field ?? text.path, reason: refusal.reason))
      }
    }
    do {
      let wire = try wire(fromJSON: tree.json, to: type)
      if violations.isEmpty { return wire }
    } catch {
      violations += error.violations
    }
    throw JSONParseError(violations: violations)
  }

  private struct Refusal: Error {
    let reason: String
    /// The field in JSON names; nil where there is none.
    var field: String?
  }

  /// Returns the path of a text's field, in JSON names, and the JSON of its values.
  private func leaf(
    _ text: FieldTexts, of type: MessageType
  ) -> Result<(path: [String], json: [UInt8]), Refusal> {
    var message = type
    var path: [String] = []
    let names = text.path.split(separator: ".", omittingEmptySubsequences: false)
    guard names.count <= options.depth else { return .failure(Refusal(reason: "is too deep")) }
    for (place, name) in names.enumerated() {
      guard let index = message.index(named: String(name)) else {
        return .failure(Refusal(reason: "no such field"))
      }
      let field = message.fields[index]
      path.append(field.jsonName)
      if place == names.count - 1 {
        guard let form = form(of: field) else {
          return .failure(
            Refusal(reason: reason(formless: field), field: path.joined(separator: ".")))
        }
        guard field.isRepeated || text.values.count == 1 else {
          return .failure(Refusal(reason: "takes one value", field: path.joined(separator: ".")))
        }
        return .success((path, Self.json(text.values, isList: field.isRepeated, form)))
      }
      guard case .message(let next) = field.kind, !field.isRepeated else {
        return .failure(
          Refusal(reason: "has no fields within it", field: path.joined(separator: ".")))
      }
      message = registry.messages[next]
    }
    return .failure(Refusal(reason: "no such field"))
  }

  /// Returns how else a field can be given whose values are not single texts.
  private func reason(formless field: FieldType) -> String {
    guard !field.isRepeated, case .message(let index) = field.kind,
      let inner = registry.messages[index].fields.first, registry.messages[index].wellKnown == nil
    else { return "can only be given in a body" }
    return "give its fields, such as \(field.jsonName).\(inner.jsonName)"
  }

  /// What may be written without quotes in the JSON of a field.
  private enum Form { case nothing, truth, number }

  /// Returns how the values of a field are written; nil if a value is not a single text.
  private func form(of field: FieldType) -> Form? {
    guard !field.isMap else { return nil }
    switch field.kind {
    case .bool: return .truth
    case .enumeration: return .number
    case .message(let index):
      let type = registry.messages[index]
      switch type.wellKnown {
      case .duration, .timestamp, .fieldMask: return .nothing
      case .wrapper: return type.fullName == "google.protobuf.BoolValue" ? .truth : .nothing
      default: return nil
      }
    default: return .nothing
    }
  }

  private static func json(_ values: [String], isList: Bool, _ form: Form) -> [UInt8] {
    var json: [UInt8] = isList ? [UInt8(ascii: "[")] : []
    for (place, value) in values.enumerated() {
      if place > 0 { json.append(UInt8(ascii: ",")) }
      // Only a single word is written without quotes, so that a text cannot become any JSON but a
      // scalar.
      let isBare =
        switch form {
        case .nothing: false
        case .truth: value == "true" || value == "false"
        case .number: Int32(value).map { "\($0)" == value } ?? false
        }
      if isBare { json += value.utf8 } else { JSONPrinter.quote(value, into: &json) }
    }
    if isList { json.append(UInt8(ascii: "]")) }
    return json
  }
}

/// Nested JSON objects, whose leaves are JSON values.
private struct TextTree {
  private var leaves: [String: [UInt8]] = [:]
  private var inner: [String: TextTree] = [:]

  /// Adds a value; returns false if its place is taken.
  mutating func put(_ json: [UInt8], at path: ArraySlice<String>) -> Bool {
    guard let name = path.first else { return false }
    if path.count == 1 {
      guard leaves[name] == nil, inner[name] == nil else { return false }
      leaves[name] = json
      return true
    }
    guard leaves[name] == nil else { return false }
    return inner[name, default: TextTree()].put(json, at: path.dropFirst())
  }

  var json: [UInt8] {
    var json = [UInt8(ascii: "{")]
    func member(_ name: String, _ value: [UInt8]) {
      if json.count > 1 { json.append(UInt8(ascii: ",")) }
      JSONPrinter.quote(name, into: &json)
      json.append(UInt8(ascii: ":"))
      json += value
    }
    for (name, value) in leaves.sorted(by: { $0.key < $1.key }) { member(name, value) }
    for (name, tree) in inner.sorted(by: { $0.key < $1.key }) { member(name, tree.json) }
    json.append(UInt8(ascii: "}"))
    return json
  }
}
