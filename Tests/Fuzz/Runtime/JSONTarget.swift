import FuzzCore
import GoogleProtobuf
import Protobuf
import ProtobufJSON
import TortureV1

extension FuzzTarget {
  /// JSON of messages: a text that parses is printed and parsed again to the same message, and so
  /// is a message that can be printed.
  static let json = FuzzTarget(name: "json") { bytes in
    guard let mapping, let type else { throw FuzzFinding("the contract is known") }
    var input = InputReader(bytes)
    // Odd first byte: a text; even: a message.
    let isText = input.byte() & 1 == 1
    let content = input.rest()
    guard isText else { return try printed(content, mapping, type) }
    guard let wire = try? mapping.wire(fromJSON: content, to: type) else { return }
    let message = try unfailing("what was read is a message") { try Torture(wireBytes: wire) }
    try printed(try unfailing("it encodes") { try message.wireBytes() }, mapping, type)
  }

  private static let mapping =
    (try? TypeRegistry([
      GoogleProtobufDescriptors.fileDescriptorSet, TortureV1Descriptors.fileDescriptorSet,
    ])).map { JSONMapping($0) }
  private static let type = mapping?.registry.message(named: Torture.fullName)

  private static func printed(
    _ wire: [UInt8], _ mapping: JSONMapping, _ type: MessageType
  ) throws {
    guard let text = try? mapping.json(fromWire: wire, of: type) else { return }
    try require(
      String(validating: text, as: UTF8.self) != nil, "JSON is UTF-8")
    let read = try unfailing("what was printed reads: \(String(decoding: text, as: UTF8.self))") {
      try mapping.wire(fromJSON: text, to: type)
    }
    let again = try unfailing("and prints again") { try mapping.json(fromWire: read, of: type) }
    // A NullValue with an unknown number prints as null, as in Google's libraries, and null parses
    // as 0.
    let isStable =
      String(decoding: text, as: UTF8.self).contains("null")
      ? try mapping.json(fromWire: mapping.wire(fromJSON: again, to: type), of: type) == again
      : again == text
    try require(
      isStable,
      "printing is stable: \(String(decoding: text, as: UTF8.self))"
        + " became \(String(decoding: again, as: UTF8.self))")
  }
}
