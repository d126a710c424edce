internal import Protobuf

extension JSONPrinter {
  mutating func wellKnown(
    _ kind: WellKnown, _ bytes: [UInt8], _ range: Range<Int>, _ type: MessageType, depth: Int
  ) throws(JSONPrintError) {
    let records = try gather(bytes, range, type)
    switch kind {
    case .wrapper:
      let field = type.fields[0]
      guard let last = records.last else { return try zero(field.kind) }
      var reader = WireReader(bytes, last.start..<last.end)
      try scalar(field.kind, &reader)
    case .structure: try map(bytes, records[...], type.fields[0], depth: depth)
    case .list: try list(bytes, records[...], type.fields[0], depth: depth)
    case .value: try dynamic(bytes, records, type, depth: depth)
    case .timestamp: try timestamp(bytes, records, type)
    case .duration: try duration(bytes, records, type)
    case .fieldMask: try fieldMask(bytes, records, type)
    case .any: try any(bytes, records, depth: depth)
    }
  }

  /// Writes a `google.protobuf.Value`. One without a kind is null, as with Google's libraries.
  private mutating func dynamic(
    _ bytes: [UInt8], _ records: [Record], _ type: MessageType, depth: Int
  ) throws(JSONPrintError) {
    guard let record = records.last else { return put("null") }
    let field = type.fields[record.field]
    if case .message(let index) = field.kind {
      return try merged(bytes, records[...], registry.messages[index], depth: depth)
    }
    var reader = WireReader(bytes, record.start..<record.end)
    if field.kind == .double {
      var copy = reader
      let raw = try? copy.fixed64()
      guard let raw, Double(bitPattern: raw).isFinite else {
        throw .unprintable(type: type.fullName, reason: "a number of JSON is finite")
      }
    }
    try scalar(field.kind, &reader)
  }

  private func seconds(
    _ bytes: [UInt8], _ records: [Record]
  ) -> (seconds: Int64, nanos: Int32) {
    var result: (seconds: Int64, nanos: Int32) = (0, 0)
    for record in records {
      var reader = WireReader(bytes, record.start..<record.end)
      let raw = (try? reader.varint()) ?? 0
      if record.field == 0 {
        result.seconds = Int64(bitPattern: raw)
      } else {
        result.nanos = Int32(truncatingIfNeeded: raw)
      }
    }
    return result
  }

  private mutating func timestamp(
    _ bytes: [UInt8], _ records: [Record], _ type: MessageType
  ) throws(JSONPrintError) {
    let (seconds, nanos) = seconds(bytes, records)
    guard let text = TimeText.timestamp(seconds: seconds, nanos: nanos) else {
      throw .unprintable(type: type.fullName, reason: "a timestamp lies in the years 1 to 9999")
    }
    put(string: text)
  }

  private mutating func duration(
    _ bytes: [UInt8], _ records: [Record], _ type: MessageType
  ) throws(JSONPrintError) {
    let (seconds, nanos) = seconds(bytes, records)
    guard let text = TimeText.duration(seconds: seconds, nanos: nanos) else {
      throw .unprintable(
        type: type.fullName, reason: "a duration has at most 10,000 years, and one sign")
    }
    put(string: text)
  }

  private mutating func fieldMask(
    _ bytes: [UInt8], _ records: [Record], _ type: MessageType
  ) throws(JSONPrintError) {
    var text = ""
    for (index, record) in records.enumerated() {
      let content = bytes[record.start..<record.end]
      guard UTF8Check.isValid(content) else { throw .malformed("invalidUTF8") }
      guard let path = FieldMaskText.camelCase(String(decoding: content, as: UTF8.self)) else {
        throw .unprintable(
          type: type.fullName, reason: "a path has lower-case letters with single underscores")
      }
      text += index == 0 ? path : ",\(path)"
    }
    put(string: text)
  }

  private mutating func any(
    _ bytes: [UInt8], _ records: [Record], depth: Int
  ) throws(JSONPrintError) {
    let url = records.last { $0.field == 0 }.map { bytes[$0.start..<$0.end] } ?? []
    let content = records.last { $0.field == 1 }.map { $0.start..<$0.end } ?? 0..<0
    if url.isEmpty, content.isEmpty { return put("{}") }
    let name = url.lastIndex(of: UInt8(ascii: "/")).map { url[($0 + 1)...] } ?? []
    guard UTF8Check.isValid(url),
      let type = registry.message(named: String(decoding: name, as: UTF8.self))
    else {
      throw .unprintable(
        type: "google.protobuf.Any",
        reason: "no type \(String(decoding: name.prefix(200), as: UTF8.self)) is known")
    }
    put("{\"@type\":")
    put(escaping: url)
    guard depth > 0 else { throw .tooDeep }
    if type.wellKnown != nil {
      put(",\"value\":")
      try message(bytes, content, type, depth: depth - 1)
    } else {
      var isFirst = false
      try fields(bytes, content, type, depth: depth - 1, &isFirst)
    }
    put("}")
  }
}
