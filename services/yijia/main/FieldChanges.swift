import GoogleProtobuf

/// A message with the fields of it that are to change, for an update with a field mask.
struct FieldChanges<Message> {
  private(set) var message: Message
  private(set) var mask = FieldMask()

  init(of message: Message) { self.message = message }

  /// Sets a field; nil leaves it as it is.
  mutating func set<Value>(
    _ field: WritableKeyPath<Message, Value>, _ path: String, to value: Value?
  ) {
    guard let value else { return }
    message[keyPath: field] = value
    mask.paths.append(path)
  }

  /// Sets a list; an empty one leaves it as it is.
  mutating func set<Value>(
    _ field: WritableKeyPath<Message, [Value]>, _ path: String, toNonempty list: [Value]
  ) {
    set(field, path, to: list.isEmpty ? nil : list)
  }
}
