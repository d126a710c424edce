/// A parsed JSON value.
enum JSONValue: Decodable, Sendable, Hashable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let bool = try? container.decode(Bool.self) {
      self = .bool(bool)
    } else if let number = try? container.decode(Double.self) {
      self = .number(number)
    } else if let string = try? container.decode(String.self) {
      self = .string(string)
    } else if let array = try? container.decode([JSONValue].self) {
      self = .array(array)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }
}

/// Reads a service config strictly and collects all its problems. For one config and one task.
final class ConfigReader {
  private(set) var problems: [String] = []

  /// Records a problem of the field at `place`.
  func problem(_ place: String, _ what: String) {
    problems.append(place.isEmpty ? what : "\(place): \(what)")
  }

  /// Reads the fields of an object. A field that `body` does not ask for is unknown, which is a
  /// problem.
  func object(_ value: JSONValue, at place: String, _ body: (Fields) -> Void) {
    guard case .object(let values) = value else { return problem(place, "is no object") }
    let fields = Fields(values, place, self)
    body(fields)
    for name in values.keys.sorted() where !fields.asked.contains(name) {
      problem(fields.place(name), "is not known")
    }
  }

  /// The fields of an object, read by the form they must have. Null counts as missing.
  final class Fields {
    private let values: [String: JSONValue]
    private let place: String
    private let reader: ConfigReader
    fileprivate private(set) var asked: Set<String> = []

    fileprivate init(_ values: [String: JSONValue], _ place: String, _ reader: ConfigReader) {
      self.values = values
      self.place = place
      self.reader = reader
    }

    fileprivate func place(_ name: String) -> String { place.isEmpty ? name : "\(place).\(name)" }

    func has(_ name: String) -> Bool { values[name] != nil && values[name] != .null }

    /// Reads a field with `body`, which gets its value and its place; nil if it is missing.
    func take<Value>(_ name: String, _ body: (JSONValue, String) -> Value?) -> Value? {
      asked.insert(name)
      guard let value = values[name], value != .null else { return nil }
      return body(value, place(name))
    }

    /// Reads a required field; a missing one is a problem.
    func required<Value>(_ name: String, _ body: (Fields, String) -> Value?) -> Value? {
      if !has(name) { reader.problem(place(name), "is missing") }
      return body(self, name)
    }

    func list<Value>(_ name: String, _ body: (JSONValue, String) -> Value?) -> [Value]? {
      take(name) { value, place in
        guard case .array(let values) = value else { return wrong(place, "is no list") }
        return values.enumerated().compactMap { body($1, "\(place)[\($0)]") }
      }
    }

    func bool(_ name: String) -> Bool? {
      take(name) { value, place in
        guard case .bool(let bool) = value else { return wrong(place, "is neither true nor false") }
        return bool
      }
    }

    func string(_ name: String) -> String? {
      take(name) { value, place in
        guard case .string(let string) = value else { return wrong(place, "is no text") }
        return string
      }
    }

    func number(_ name: String, above limit: Double) -> Double? {
      take(name) { value, place in
        guard case .number(let number) = value, number > limit, number.isFinite else {
          return wrong(place, "is no number above \(limit)")
        }
        return number
      }
    }

    /// Reads an integer, written as a number or, as JSON writes 64-bit integers, as a string.
    func integer(_ name: String, _ range: ClosedRange<Int>) -> Int? {
      take(name) { value, place in
        let integer: Int? =
          switch value {
          case .number(let number): Int(exactly: number)
          case .string(let string): Int(string)
          default: nil
          }
        guard let integer, range.contains(integer) else {
          return wrong(
            place, "is no whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
      }
    }

    /// Reads a duration in Protobuf's JSON form: `1.5s`.
    func duration(_ name: String, isPositive: Bool) -> Duration? {
      take(name) { value, place in
        guard case .string(let text) = value, let duration = Self.duration(text),
          duration > .zero || !isPositive
        else {
          return wrong(
            place, "is no \(isPositive ? "positive " : "")time of seconds such as \"1.5s\"")
        }
        return duration
      }
    }

    private static func duration(_ text: String) -> Duration? {
      guard text.hasSuffix("s") else { return nil }
      let parts = text.dropLast().split(
        separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
      // Protobuf's limit of a duration: about 10,000 years.
      guard let whole = parts.first, let seconds = digits(whole), seconds <= 315_576_000_000
      else { return nil }
      guard parts.count == 2 else { return .seconds(seconds) }
      let fraction = parts[1]
      guard (1...9).contains(fraction.count), var nanoseconds = digits(fraction) else { return nil }
      for _ in fraction.count..<9 { nanoseconds *= 10 }
      return .seconds(seconds) + .nanoseconds(nanoseconds)
    }

    private static func digits(_ text: Substring) -> Int64? {
      text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        ? Int64(text) : nil
    }

    /// Reads status codes, written as names in any case or as numbers.
    func codes(_ name: String) -> Set<RPCError.Code>? {
      list(name) { value, place in
        let code: RPCError.Code? =
          switch value {
          case .string(let text): RPCError.Code.allCases.first { $0.name == text.uppercased() }
          case .number(let number): Int(exactly: number).flatMap { RPCError.Code(rawValue: $0) }
          default: nil
          }
        return code ?? wrong(place, "is no status code of a failure")
      }.map { Set($0) }
    }

    private func wrong<Value>(_ place: String, _ what: String) -> Value? {
      reader.problem(place, what)
      return nil
    }
  }
}
