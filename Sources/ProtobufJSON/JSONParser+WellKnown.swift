extension JSONParser {
  mutating func wellKnown(
    _ kind: WellKnown, _ type: MessageType, depth: Int
  ) throws(JSONSyntaxError) {
    switch kind {
    case .wrapper:
      try singular(1, type.fields[0].kind, isWrittenWhenZero: false, depth: depth)
    case .structure: try map(type.fields[0], depth: depth)
    case .list: try list(type.fields[0], depth: depth)
    case .value: try dynamic(type, depth: depth)
    case .timestamp:
      try moment(TimeText.timestamp, "a time such as 2026-11-21T08:00:00Z", depth: depth)
    case .duration: try moment(TimeText.duration, "a duration such as 1.5s", depth: depth)
    case .fieldMask: try fieldMask(depth: depth)
    case .any: try any(type, depth: depth)
    }
  }

  private mutating func dynamic(_ type: MessageType, depth: Int) throws(JSONSyntaxError) {
    let start = scanner.at
    switch try scanner.kind() {
    case .null:
      try scanner.null()
      output.write(1, .int32, raw: 0)
    case .number:
      guard let raw = JSONNumber.floating(try scanner.number(), .double) else {
        return try refuseValue("expected a number of 64 bits", from: start, depth: depth)
      }
      output.write(2, .double, raw: raw)
    case .string:
      var text: [UInt8] = []
      try scanner.string(into: &text)
      output.write(3, text)
    case .bool: output.write(4, .bool, raw: try scanner.bool() ? 1 : 0)
    case .object: try nestedValue(type, number: 5, depth: depth)
    case .array: try nestedValue(type, number: 6, depth: depth)
    }
  }

  private mutating func nestedValue(
    _ type: MessageType, number: UInt32, depth: Int
  ) throws(JSONSyntaxError) {
    guard let index = type.index(numbered: number),
      case .message(let inner) = type.fields[index].kind
    else { return }
    let mark = output.begin(number)
    try message(registry.messages[inner], depth: depth - 1)
    output.end(mark)
  }

  private mutating func moment(
    _ read: (String) -> (seconds: Int64, nanos: Int32)?, _ expectation: String, depth: Int
  ) throws(JSONSyntaxError) {
    let start = scanner.at
    guard try scanner.kind() == .string, let value = read(try scanner.string()) else {
      return try refuseValue("expected \(expectation)", from: start, depth: depth)
    }
    if value.seconds != 0 {
      output.write(1, .int64, raw: UInt64(bitPattern: value.seconds))
    }
    if value.nanos != 0 {
      output.write(2, .int32, raw: UInt64(bitPattern: Int64(value.nanos)))
    }
  }

  private mutating func fieldMask(depth: Int) throws(JSONSyntaxError) {
    let start = scanner.at
    guard try scanner.kind() == .string else {
      return try refuseValue("expected paths such as \"name,dueTime\"", from: start, depth: depth)
    }
    let text = try scanner.string()
    guard !text.isEmpty else { return }
    for path in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let name = FieldMaskText.snakeCase(path) else {
        return try refuse("expected paths such as \"name,dueTime\"")
      }
      output.write(1, Array(name.utf8))
    }
  }

  /// Reads a `google.protobuf.Any`: an object with `@type` and the message's fields or, if its type
  /// has a JSON form of its own, that form as `value`. `@type` may come last, so the object is
  /// first searched for it.
  private mutating func any(_ type: MessageType, depth: Int) throws(JSONSyntaxError) {
    let start = scanner.at
    guard try scanner.kind() == .object else {
      return try refuseValue("expected an object with \"@type\"", from: start, depth: depth)
    }
    var url: String?
    var isEmpty = true
    var hasBadURL = false
    try scanner.members { scanner, name throws(JSONSyntaxError) in
      isEmpty = false
      if name == "@type", url == nil, try scanner.kind() == .string {
        url = try scanner.string()
      } else {
        if name == "@type" { hasBadURL = true }
        try scanner.skipValue(depth: depth)
      }
    }
    if isEmpty { return }
    let name = url.flatMap { url in url.lastIndex(of: "/").map { url[url.index(after: $0)...] } }
    guard let url, !hasBadURL, let name, let inner = registry.message(named: String(name)) else {
      return try refuse(
        url == nil || hasBadURL ? "expected one \"@type\"" : "no type \(url ?? "") is known")
    }
    output.write(1, Array(url.utf8))
    scanner.rewind(to: start)
    let mark = output.begin(2)
    if inner.wellKnown == nil {
      try object(inner, depth: depth - 1, except: "@type")
    } else {
      try value(of: inner, depth: depth - 1)
    }
    output.end(mark, isKeptWhenEmpty: false)
  }

  private mutating func value(of type: MessageType, depth: Int) throws(JSONSyntaxError) {
    guard depth > 0 else { throw scanner.failure("messages lie too deep") }
    var count = 0
    try members { parser, name throws(JSONSyntaxError) in
      if name == "@type" { return try parser.scanner.skipValue(depth: depth) }
      count += 1
      guard name == "value", count == 1 else {
        try parser.refuse("expected \"@type\" and \"value\" only")
        return try parser.scanner.skipValue(depth: depth)
      }
      try parser.message(type, depth: depth)
    }
    if count == 0 { try refuse("expected \"value\"") }
  }
}
