public import Protobuf

extension AnyMessage {
  /// What a type URL begins with when its types are looked up nowhere in particular.
  public static let typeURLPrefix = "type.googleapis.com/"

  /// Packs a message with its type's name.
  /// - Throws: `EncodeError`.
  public init(packing message: some Message) throws {
    self.init()
    typeURL = AnyMessage.typeURLPrefix + type(of: message).fullName
    value = try message.wireBytes()
  }

  /// Whether this holds a message of the type: what follows the last "/" is its name.
  public func holds<M: Message>(_ type: M.Type) -> Bool {
    typeURL.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init)
      == M.fullName
  }

  /// The message, nil where this holds another type.
  /// - Throws: `DecodeError`.
  public func unpack<M: Message>(_ type: M.Type) throws -> M? {
    holds(type) ? try M(wireBytes: value) : nil
  }
}
