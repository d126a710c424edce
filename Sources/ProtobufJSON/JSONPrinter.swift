internal import Protobuf

/// Writes JSON while it reads the wire format.
package struct JSONPrinter {
  /// The location of a field's value on the wire.
  struct Record {
    /// The index in the type's fields.
    var field: Int
    var start: Int
    var end: Int
    var wireType: UInt32
  }

  let registry: TypeRegistry
  let options: JSONMapping.Options
  private(set) var output: [UInt8] = []

  init(_ registry: TypeRegistry, _ options: JSONMapping.Options, capacity: Int) {
    self.registry = registry
    self.options = options
    output.reserveCapacity(capacity)
  }

  // MARK: - Messages

  /// Writes the message in a range of `bytes`.
  mutating func message(
    _ bytes: [UInt8], _ range: Range<Int>, _ type: MessageType, depth: Int
  ) throws(JSONPrintError) {
    guard depth >= 0 else { throw .tooDeep }
    if let wellKnown = type.wellKnown {
      return try self.wellKnown(wellKnown, bytes, range, type, depth: depth)
    }
    put("{")
    var isFirst = true
    try fields(bytes, range, type, depth: depth, &isFirst)
    put("}")
  }

  /// Writes the fields of a message into an open object.
  mutating func fields(
    _ bytes: [UInt8], _ range: Range<Int>, _ type: MessageType, depth: Int, _ isFirst: inout Bool
  ) throws(JSONPrintError) {
    let records = try gather(bytes, range, type)
    var at = 0
    for (index, field) in type.fields.enumerated() {
      let start = at
      while at < records.count, records[at].field == index { at += 1 }
      if at == start, !options.writesDefaults || field.hasPresence { continue }
      let own = records[start..<at]
      if !field.isRepeated, !field.hasPresence, !options.writesDefaults,
        try isZero(bytes, own, field)
      {
        continue
      }
      if !isFirst { put(",") }
      isFirst = false
      put(string: options.writesContractNames ? field.name : field.jsonName)
      put(":")
      try value(bytes, own, field, depth: depth)
    }
  }

  private mutating func value(
    _ bytes: [UInt8], _ records: ArraySlice<Record>, _ field: FieldType, depth: Int
  ) throws(JSONPrintError) {
    if field.isMap { return try map(bytes, records, field, depth: depth) }
    if field.isRepeated { return try list(bytes, records, field, depth: depth) }
    if case .message(let index) = field.kind {
      return try merged(bytes, records, registry.messages[index], depth: depth)
    }
    guard let last = records.last else { return try zero(field.kind) }
    var reader = WireReader(bytes, last.start..<last.end)
    try scalar(field.kind, &reader)
  }

  /// Writes a singular message. One that comes in pieces is merged by concatenating them.
  mutating func merged(
    _ bytes: [UInt8], _ records: ArraySlice<Record>, _ type: MessageType, depth: Int
  ) throws(JSONPrintError) {
    if records.count == 1, let only = records.first {
      return try message(bytes, only.start..<only.end, type, depth: depth - 1)
    }
    var whole: [UInt8] = []
    for record in records { whole += bytes[record.start..<record.end] }
    try message(whole, 0..<whole.count, type, depth: depth - 1)
  }

  mutating func list(
    _ bytes: [UInt8], _ records: ArraySlice<Record>, _ field: FieldType, depth: Int
  ) throws(JSONPrintError) {
    put("[")
    var isFirst = true
    for record in records {
      if case .message(let index) = field.kind {
        if !isFirst { put(",") }
        isFirst = false
        try message(bytes, record.start..<record.end, registry.messages[index], depth: depth - 1)
        continue
      }
      var reader = WireReader(bytes, record.start..<record.end)
      let isPacked = record.wireType == 2 && field.kind.wireType != 2
      repeat {
        if isPacked, reader.isAtEnd { break }
        if !isFirst { put(",") }
        isFirst = false
        try scalar(field.kind, &reader)
      } while isPacked && !reader.isAtEnd
    }
    put("]")
  }

  mutating func map(
    _ bytes: [UInt8], _ records: ArraySlice<Record>, _ field: FieldType, depth: Int
  ) throws(JSONPrintError) {
    guard case .message(let index) = field.kind else { return }
    let entry = registry.messages[index]
    guard let keyField = entry.fields.first, let valueField = entry.fields.last else { return }
    // Of several entries with the same key, the last counts.
    var entries: [(key: [UInt8], records: [Record])] = []
    var places: [[UInt8]: Int] = [:]
    for record in records {
      let parts = try gather(bytes, record.start..<record.end, entry)
      let key = try key(bytes, parts.last { $0.field == 0 }, keyField)
      let values = parts.filter { $0.field == 1 }
      if let place = places[key] {
        entries[place].records = values
      } else {
        places[key] = entries.count
        entries.append((key, values))
      }
    }
    put("{")
    for (place, entry) in entries.enumerated() {
      if place > 0 { put(",") }
      output += entry.key
      put(":")
      try value(bytes, entry.records[...], valueField, depth: depth)
    }
    put("}")
  }

  /// Returns a map key as JSON, in quotes.
  private func key(
    _ bytes: [UInt8], _ record: Record?, _ field: FieldType
  ) throws(JSONPrintError) -> [UInt8] {
    var inner = JSONPrinter(registry, options, capacity: 32)
    if let record {
      var reader = WireReader(bytes, record.start..<record.end)
      try inner.scalar(field.kind, &reader)
    } else {
      try inner.zero(field.kind)
    }
    let quote = UInt8(ascii: "\"")
    return inner.output.first == quote ? inner.output : [quote] + inner.output + [quote]
  }

  // MARK: - Wire format

  /// Returns the known fields of a message, by field and then in order; of a oneof, only the last
  /// member.
  func gather(
    _ bytes: [UInt8], _ range: Range<Int>, _ type: MessageType
  ) throws(JSONPrintError) -> [Record] {
    do {
      return try records(bytes, range, type)
    } catch {
      throw .malformed("\(error)")
    }
  }

  private func records(
    _ bytes: [UInt8], _ range: Range<Int>, _ type: MessageType
  ) throws(DecodeError) -> [Record] {
    var records: [Record] = []
    var isSorted = true
    var oneofs: [Int: (field: Int, since: Int)] = [:]
    var reader = WireReader(bytes, range)
    while !reader.isAtEnd {
      let tag = try reader.tag()
      guard let index = type.index(numbered: tag >> 3) else {
        try reader.skip(tag, depth: options.depth)
        continue
      }
      let field = type.fields[index]
      let isPacked = field.isRepeated && tag & 7 == 2 && field.kind.wireType != 2
      guard isPacked || tag & 7 == field.kind.wireType else {
        try reader.skip(tag, depth: options.depth)
        continue
      }
      if let oneof = field.oneof, oneofs[oneof]?.field != index {
        oneofs[oneof] = (index, records.count)
      }
      if let last = records.last, last.field > index { isSorted = false }
      var place = reader.at..<reader.at
      if tag & 7 == 2 {
        place = try reader.content()
      } else {
        try reader.skip(tag, depth: 0)
        place = place.lowerBound..<reader.at
      }
      // An empty packed list: the field counts as absent.
      if isPacked, place.isEmpty { continue }
      records.append(
        Record(
          field: index, start: place.lowerBound, end: place.upperBound, wireType: tag & 7))
    }
    if !oneofs.isEmpty {
      records = records.enumerated().filter { place, record in
        guard let oneof = type.fields[record.field].oneof, let last = oneofs[oneof] else {
          return true
        }
        return record.field == last.field && place >= last.since
      }.map(\.element)
    }
    if !isSorted { records.sort { ($0.field, $0.start) < ($1.field, $1.start) } }
    return records
  }

  private func isZero(
    _ bytes: [UInt8], _ records: ArraySlice<Record>, _ field: FieldType
  ) throws(JSONPrintError) -> Bool {
    guard let last = records.last else { return true }
    if last.wireType == 2 { return last.start == last.end }
    guard last.wireType == 0 else {
      // By the bits: -0.0 is not zero.
      return bytes[last.start..<last.end].allSatisfy { $0 == 0 }
    }
    var reader = WireReader(bytes, last.start..<last.end)
    do {
      // Bits beyond the kind's size do not count.
      let raw = try reader.varint()
      return field.kind.isNarrow ? UInt32(truncatingIfNeeded: raw) == 0 : raw == 0
    } catch {
      throw .malformed("\(error)")
    }
  }

  // MARK: - Output

  mutating func put(_ text: StaticString) {
    text.withUTF8Buffer { output.append(contentsOf: $0) }
  }

  mutating func put(raw text: String) { output += text.utf8 }

  mutating func put(string text: String) { Self.quote(text, into: &output) }

  mutating func put(escaping text: some Collection<UInt8>) { Self.quote(text, into: &output) }

  /// Appends a text as a JSON string (RFC 8259, section 7).
  package static func quote(_ text: String, into output: inout [UInt8]) {
    var text = text
    text.withUTF8 { quote($0, into: &output) }
  }

  /// Appends a string in quotes; escapes quotes, backslashes and control characters.
  private static func quote(_ text: some Collection<UInt8>, into output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    for byte in text {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        output.append(UInt8(ascii: "\\"))
        output.append(byte)
      case 0x20...: output.append(byte)
      case UInt8(ascii: "\n"): output += "\\n".utf8
      case UInt8(ascii: "\r"): output += "\\r".utf8
      case UInt8(ascii: "\t"): output += "\\t".utf8
      default:
        output += "\\u00".utf8
        output.append(hexDigit(byte >> 4))
        output.append(hexDigit(byte & 15))
      }
    }
    output.append(UInt8(ascii: "\""))
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }
}
