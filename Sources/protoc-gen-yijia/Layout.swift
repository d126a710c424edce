import GoogleProtobuf

/// The memory layout of Swift values: which fields are stored inline, and which behind a reference.
enum Layout {
  /// A larger message, in bytes, is stored by reference, since a struct is copied field by field.
  private static let inlineBytesMax = 256

  /// Boxes the fields that lead back to their own message, and large ones.
  static func box(_ message: MessageType) {
    for field in message.fields where !field.isRepeated {
      guard let inner = field.message else { continue }
      field.isBoxed =
        reaches(inner, message)
        || inlineByteCount(of: inner, [message.fullName]) > inlineBytesMax
    }
  }

  /// Returns an upper bound, in bytes, of a Swift value in a box. The boxed messages within it are
  /// not included: on the wire each counts as a message of its own.
  static func byteCount(of message: MessageType) -> Int {
    boxHeader + fields(of: message, boxed: true) { byteCount(of: $0) }
  }

  private static func inlineByteCount(of message: MessageType, _ seen: Set<String>) -> Int {
    fields(of: message, boxed: false) { inner in
      seen.contains(inner.fullName)
        ? pointer : inlineByteCount(of: inner, seen.union([message.fullName]))
    }
  }

  private static let pointer = 8
  private static let boxHeader = 16

  private static func fields(
    of message: MessageType, boxed: Bool, _ inner: (MessageType) -> Int
  ) -> Int {
    func size(_ field: Field) -> Int {
      boxed && field.isBoxed ? pointer : Layout.size(of: field, inner)
    }
    // The array of the unknown fields.
    var total = pointer
    for field in message.fields where field.oneof == nil {
      total += size(field)
    }
    for oneof in message.oneofs {
      total += 8 + (oneof.fields.map(size).max() ?? 0)
    }
    return total
  }

  private static func size(of field: Field, _ inner: (MessageType) -> Int) -> Int {
    if field.isRepeated { return pointer }
    if let message = field.message { return inner(message) + 8 }
    switch field.type {
    case .string: return 16
    case .bool: return 1
    default: return field.presence == .implicit ? 8 : 16
    }
  }

  /// Returns whether a value of `message` can contain one of `target` without an array in between.
  private static func reaches(_ message: MessageType, _ target: MessageType) -> Bool {
    var seen: Set<String> = []
    var open = [message]
    while let next = open.popLast() {
      if next === target { return true }
      guard seen.insert(next.fullName).inserted else { continue }
      open += next.fields.filter { !$0.isRepeated }.compactMap(\.message)
    }
    return false
  }
}
