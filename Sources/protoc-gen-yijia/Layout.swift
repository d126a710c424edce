import GoogleProtobuf

/// Where Swift values lie: within each other, or behind a reference.
enum Layout {
  /// A message that takes more is held by reference: a struct is copied field by field.
  private static let inlineBytesMax = 256

  /// Boxes fields that lead back to their own message, and large ones.
  static func box(_ message: MessageType) {
    for field in message.fields where !field.isRepeated {
      guard let inner = field.message else { continue }
      field.isBoxed =
        reaches(inner, message)
        || inlineByteCount(of: inner, [message.fullName]) > inlineBytesMax
    }
  }

  /// Bytes of the Swift value with what its boxes hold when set: an upper estimate for one message
  /// on the wire, which has its boxed messages counted as messages of their own.
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
    // The unknown fields' array.
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

  /// Whether a value of `message` can hold one of `target` without an array between.
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
