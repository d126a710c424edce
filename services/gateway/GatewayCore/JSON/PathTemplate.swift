/// A parsed path template of `google.api.http`: `/v1/{name=organizations/*}:revoke`. A pure value.
///
/// Source: google/api/http.proto, "Path template syntax".
package struct PathTemplate: Sendable, Hashable {
  /// A segment of the template.
  package enum Segment: Sendable, Hashable {
    /// A fixed text.
    case literal(String)
    /// `*`: any one segment.
    case one
    /// `**`: any number of segments, last in the template.
    case rest
  }

  /// A request field whose value is part of the path.
  package struct Variable: Sendable, Hashable {
    /// The field's path, with dots.
    package let field: String
    /// The segments that form its value.
    package let segments: Range<Int>
  }

  /// Why a text is not a path template.
  package struct SyntaxError: Error, Sendable, Hashable {
    let template: String
    let reason: String
  }

  /// The segments, with those of variables expanded.
  package private(set) var segments: [Segment] = []
  /// The variables, in order of their segments.
  package private(set) var variables: [Variable] = []
  /// The custom verb: what follows the last colon of the path.
  package private(set) var verb: String?

  /// - Throws: ``SyntaxError`` where the text is not a path template.
  package init(_ text: String) throws(SyntaxError) {
    func failure(_ reason: String) -> SyntaxError { SyntaxError(template: text, reason: reason) }
    guard text.hasPrefix("/") else { throw failure("a template begins with a slash") }
    var rest = text.dropFirst()
    // The verb's colon is behind the last brace and slash.
    let tail = rest.lastIndex(where: { $0 == "}" || $0 == "/" }).map { rest.index(after: $0) }
    if let colon = rest[(tail ?? rest.startIndex)...].firstIndex(of: ":") {
      verb = String(rest[rest.index(after: colon)...])
      rest = rest[..<colon]
      guard verb?.isEmpty == false else { throw failure("a verb has a name") }
    }
    while !rest.isEmpty {
      if rest.first == "{" {
        guard let end = rest.firstIndex(of: "}") else { throw failure("a brace is not closed") }
        let parts = rest[rest.index(after: rest.startIndex)..<end]
          .split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let start = segments.count
        for segment in (parts.count == 2 ? parts[1] : "*").split(
          separator: "/", omittingEmptySubsequences: false)
        {
          try add(segment, of: text)
        }
        guard !parts[0].isEmpty else { throw failure("a variable names a field") }
        variables.append(Variable(field: String(parts[0]), segments: start..<segments.count))
        rest = rest[rest.index(after: end)...]
      } else {
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        try add(rest[..<end], of: text)
        rest = rest[end...]
      }
      guard rest.isEmpty || rest.first == "/" else { throw failure("segments end with a slash") }
      guard rest != "/" else { throw failure("a template does not end with a slash") }
      rest = rest.dropFirst()
    }
    guard !segments.dropLast().contains(.rest) else { throw failure("** comes last") }
  }

  private mutating func add(_ segment: Substring, of text: String) throws(SyntaxError) {
    switch segment {
    case "*": segments.append(.one)
    case "**": segments.append(.rest)
    default:
      guard !segment.isEmpty, !segment.contains(where: { "{}*".contains($0) }) else {
        throw SyntaxError(template: text, reason: "'\(segment)' is no segment")
      }
      segments.append(.literal(String(segment)))
    }
  }
}

extension PathTemplate: CustomStringConvertible {
  /// The template in the syntax of `google.api.http`.
  package var description: String {
    var text = ""
    for (index, segment) in segments.enumerated() {
      let variable = variables.first { $0.segments.contains(index) }
      text += "/"
      if let variable, variable.segments.lowerBound == index { text += "{\(variable.field)=" }
      switch segment {
      case .literal(let literal): text += literal
      case .one: text += "*"
      case .rest: text += "**"
      }
      if let variable, variable.segments.upperBound == index + 1 { text += "}" }
    }
    return (text.isEmpty ? "/" : text) + (verb.map { ":\($0)" } ?? "")
  }
}

/// A request path split into decoded segments: an escaped slash is part of its segment. A pure
/// value.
package struct RequestPath: Sendable, Hashable {
  /// Longer than any template of the contracts; bounds the cost of routing.
  static let segmentsMax = 32

  /// The decoded segments, including a custom verb.
  package let segments: [String]
  /// The segments without the custom verb, and the verb; nil where the last segment has none.
  let verb: (segments: [String], name: String)?

  /// Returns nil for an invalid path: no leading slash, an empty segment, a bad escape, invalid
  /// UTF-8.
  package init?(_ text: Substring) {
    guard text.hasPrefix("/") else { return nil }
    let raw = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    guard raw.count <= Self.segmentsMax else { return nil }
    var segments: [String] = []
    for segment in raw {
      guard let plain = URLText.decode(segment), !plain.isEmpty else { return nil }
      segments.append(plain)
    }
    self.segments = segments
    // The colon is searched before decoding: an escaped colon is part of a name.
    guard let last = raw.last, let colon = last.lastIndex(of: ":"),
      let name = URLText.decode(last[last.index(after: colon)...]), !name.isEmpty,
      let stem = URLText.decode(last[..<colon]), !stem.isEmpty
    else {
      verb = nil
      return
    }
    verb = (segments.dropLast() + [stem], name)
  }

  package static func == (a: Self, b: Self) -> Bool {
    a.segments == b.segments && a.verb?.name == b.verb?.name
      && a.verb?.segments == b.verb?.segments
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(segments) }
}

/// Percent-decoding. Source: RFC 3986, section 2.1; for forms, WHATWG URL,
/// "application/x-www-form-urlencoded".
enum URLText {
  /// Decodes a text; nil where an escape is incomplete or the result is not UTF-8.
  static func decode(_ text: Substring, isForm: Bool = false) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "%"):
        guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit)
        else { return nil }
        bytes.append(high << 4 | low)
      case UInt8(ascii: "+") where isForm: bytes.append(UInt8(ascii: " "))
      default: bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// Parses the parameters of a query, in order; nil where one is malformed.
  static func query(_ text: Substring) -> [(name: String, value: String)]? {
    var parts: [(name: String, value: String)] = []
    for part in text.split(separator: "&") {
      let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = decode(sides[0], isForm: true), !name.isEmpty,
        let value = decode(sides.count == 2 ? sides[1] : "", isForm: true)
      else { return nil }
      parts.append((name, value))
    }
    return parts
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
