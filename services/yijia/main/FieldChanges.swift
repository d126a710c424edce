import GoogleProtobuf
import ServiceKit

/// A message with the fields of it that are to change, for an update with a field mask.
struct FieldChanges<Message> {
  private(set) var message: Message
  private var mask = FieldMask()

  init(of message: Message) { self.message = message }

  /// Returns the message and the mask, as a request has them.
  ///
  /// - Throws: ``ConfigurationError`` where no field is to change.
  func finish() throws -> (Message?, FieldMask?) {
    guard !mask.paths.isEmpty else {
      throw ConfigurationError(
        zh: "没有指明要更改什么；--help 列出可以更改的项目",
        en: "nothing is named that is to change; --help lists what can be")
    }
    return (message, mask)
  }

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
