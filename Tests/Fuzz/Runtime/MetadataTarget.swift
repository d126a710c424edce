import FuzzCore
import RPC

extension FuzzTarget {
  /// Header lists as request heads, metadata and statuses.
  static let metadata = FuzzTarget(name: "metadata") { bytes in
    var input = InputReader(bytes)
    var list = HeaderList()
    while !input.isAtEnd, list.count < 32 { add(to: &list, &input) }
    try heads(list)
    try custom(Metadata(custom: list), of: list)
    try statuses(list)
    try edits(list)
  }

  /// Special names are frequent enough to be found.
  private static let names: [String] = [
    ":method", ":path", ":status", ":authority", "content-type", "grpc-timeout", "grpc-encoding",
    "grpc-status", "grpc-message", "grpc-status-details-bin", "te", "host", "a-bin", "b",
  ]

  private static func add(to list: inout HeaderList, _ input: inout InputReader) {
    let choice = Int(input.byte())
    let value = input.piece()
    if choice < names.count {
      list.add(name: Array(names[choice].utf8).span.bytes, value: value.span.bytes)
    } else {
      list.add(name: input.piece().span.bytes, value: value.span.bytes)
    }
  }

  private static func heads(_ list: HeaderList) throws {
    let head = RequestHead(fields: list)
    try require(head.fields == list, "a head keeps its fields")
    try require(head.path == (last(":path", list) ?? ""), "the path is the field's")
    let types = (0..<list.count).filter { list.hasName("content-type", at: $0) }
    let type = types.count == 1 ? list.value(at: types[0]) : nil
    try require(head.contentType == type, "the content type is the field's, if there is one")
    try require(
      head.isGRPC == (type.map { ContentType.isGRPCRequest(Array($0.utf8).span.bytes) } ?? false),
      "a content type is gRPC's as bytes and as text")
    if let timeout = head.timeout { try require(timeout >= .zero, "a timeout is not negative") }
    _ = (head.method, head.encoding, head.authority, list.description, list.hashValue)
  }

  private static func last(_ name: String, _ list: HeaderList) -> String? {
    (0..<list.count).last { list.hasName(name, at: $0) }.map { list.value(at: $0) }
  }

  private static func custom(_ metadata: Metadata, of list: HeaderList) throws {
    try require(metadata.count <= list.count, "metadata is a part of the head")
    for element in metadata {
      try require(!ReservedHeader.isReserved(element.name), "'\(element.name)' is not reserved")
      let values = metadata.values(element.name)
      switch element.value {
      case .text(let text):
        // A name that is not a text cannot be looked up; HTTP/2 accepts none.
        try require(
          !values.isEmpty || !Metadata.isValid(name: element.name), "a name has its value")
        try resent(element.name, text)
      case .binary(let bytes): try resent(element.name, bytes)
      }
    }
  }

  private static func resent(_ name: String, _ text: String) throws {
    guard Metadata.isValid(name: name), !name.hasSuffix("-bin") else { return }
    var metadata: Metadata = [:]
    metadata.add(name, text)
    let sent = metadata[text: name] ?? ""
    try require(Metadata.isValid(text: sent), "what is sent is printable")
    if Metadata.isValid(text: text) { try require(sent == text, "text comes through") }
  }

  private static func resent(_ name: String, _ bytes: [UInt8]) throws {
    guard Metadata.isValid(name: name), name.hasSuffix("-bin") else { return }
    var metadata: Metadata = [:]
    metadata.add(name, bytes)
    try require(metadata[binary: name] == bytes, "bytes come through")
  }

  private static func statuses(_ list: HeaderList) throws {
    guard case .failed(let error) = StatusFields.parse(list) else { return }
    try require(error.isRemote, "a received status is the peer's")
    var sent = HeaderList()
    StatusFields.append(error, trailers: [:], to: &sent)
    guard case .failed(let again) = StatusFields.parse(sent) else {
      throw FuzzFinding("a status stays one")
    }
    try require(again.code == error.code, "the code comes through")
    try require(again.message == error.message, "the message comes through")
    try require(again.details == error.details, "details come through")
    _ = StatusFields.outcome(head: list, trailers: nil)
    _ = StatusFields.refusal(ofHead: list)
  }

  private static func edits(_ list: HeaderList) throws {
    guard list.count > 0 else { return }
    let name = list.name(at: 0)
    var edited = list
    edited.set(name, "x")
    if list.hasName(name, at: 0) {
      try require(edited[name] == "x", "a set field is the one")
      edited.remove(name)
      try require(edited.firstIndex(of: name) == nil, "a removed field is gone")
    }
    var copy = HeaderList()
    copy.add(contentsOf: list)
    try require(copy == list && copy.listSize == list.listSize, "a copy is the same")
  }
}
