/// A request head: all its header fields, with those that matter found once.
public struct RequestHead: Sendable, Hashable {
  /// Every field in wire order, pseudo headers first.
  public private(set) var fields: HeaderList

  // Where the fields are in the list, or -1.
  private var methodIndex: Int16 = -1
  private var pathIndex: Int16 = -1
  private var contentTypeIndex: Int16 = -1
  private var timeoutIndex: Int16 = -1
  private var encodingIndex: Int16 = -1
  private var hasContentType = false
  /// Of heads that come again; on its connection's loop only.
  package var memo: HeadMemo?

  /// The parts of HTTP fit together: what is wrong otherwise the connection has refused already.
  package private(set) var isWellFormed = true
  /// What gRPC does not allow of the head, in words for the caller.
  package private(set) var fault: String?

  /// Takes received fields as they are.
  public init(fields: HeaderList) {
    self.fields = fields
    let bytes = fields.bytes.span.bytes
    for (index, field) in fields.fields.enumerated() {
      let name = bytes.extracting(field.nameRange)
      let position = Int16(truncatingIfNeeded: index)
      switch field.nameCount {
      case 4 where name.equals("host"):
        isWellFormed = isWellFormed && Authority.agree(fields)
      case 5 where name.equals(":path"): pathIndex = position
      case 7 where name.equals(":method"): methodIndex = position
      case 10 where name.equals(":authority"):
        isWellFormed = isWellFormed && !fields.withValue(at: index) { Authority.hasUser($0) }
      case 12 where name.equals("content-type"):
        // Twice is none that can be trusted.
        contentTypeIndex = hasContentType ? -1 : position
        hasContentType = true
      case 12 where name.equals("grpc-timeout"): take(position, as: \.timeoutIndex, "grpc-timeout")
      case 13 where name.equals("grpc-encoding"):
        take(position, as: \.encodingIndex, "grpc-encoding")
      default:
        if fault == nil { fault = MetadataRules.fault(fields, at: index) }
      }
    }
  }

  private mutating func take(
    _ position: Int16, as place: WritableKeyPath<RequestHead, Int16>, _ name: StaticString
  ) {
    if self[keyPath: place] >= 0 { fault = "\(name) is there twice" }
    self[keyPath: place] = position
  }

  /// A gRPC request, without `:scheme` and `:authority`, which the connection adds.
  public init(
    path: String, metadata: Metadata = [:], timeout: Duration? = nil,
    compression: MessageEncoding? = nil, acceptsCompression: Bool = false,
    previousAttempts: Int = 0
  ) {
    var list = HeaderList()
    list.reserve(bytes: 160 + path.utf8.count, fields: 6 + metadata.count)
    list.add(":method", "POST")
    list.add(":path", path)
    list.add("te", "trailers")
    list.add("content-type", "application/grpc")
    if let timeout { list.add("grpc-timeout", Timeout.format(timeout)) }
    if let compression { list.add("grpc-encoding", compression.rawValue) }
    if acceptsCompression { list.add("grpc-accept-encoding", MessageEncoding.acceptList) }
    if previousAttempts > 0 { list.add("grpc-previous-rpc-attempts", String(previousAttempts)) }
    list.add(contentsOf: metadata.list)
    self.init(fields: list)
  }

  /// The same head with a `grpc-timeout` as its last field, of one that has none.
  package func adding(timeout: Duration) -> RequestHead {
    var head = self
    head.timeoutIndex = Int16(truncatingIfNeeded: fields.count)
    head.fields.add("grpc-timeout", Timeout.format(timeout))
    return head
  }

  /// `/package.Service/Method`
  public var path: String { value(pathIndex) ?? "" }
  public var method: String { value(methodIndex) ?? "" }
  public var contentType: String? { value(contentTypeIndex) }
  public var authority: String? { fields[":authority"] ?? fields["host"] }
  public var encoding: String? { value(encodingIndex) }

  /// The custom metadata.
  public var metadata: Metadata { Metadata(custom: fields) }

  /// The caller's `grpc-timeout`, if it sent one that can be read.
  public var timeout: Duration? {
    guard timeoutIndex >= 0 else { return nil }
    return fields.withValue(at: Int(timeoutIndex)) { Timeout.parse($0) }
  }

  /// The place of `grpc-timeout` among the fields.
  package var timeoutPlace: Int? { timeoutIndex >= 0 ? Int(timeoutIndex) : nil }

  /// The same head with a `grpc-timeout` that is as long as its own.
  package func with(timeout value: RawSpan) -> RequestHead {
    var head = self
    head.fields.replaceValue(at: Int(timeoutIndex), with: value)
    return head
  }

  /// Whether there is a `grpc-timeout` that cannot be read.
  package var hasBadTimeout: Bool { timeoutIndex >= 0 && timeout == nil }

  /// Whether this is a gRPC request by its content type.
  public var isGRPC: Bool {
    guard contentTypeIndex >= 0 else { return false }
    return fields.withValue(at: Int(contentTypeIndex)) { ContentType.isGRPCRequest($0) }
  }

  /// How messages are compressed whose flag is set; nil where it names nothing that is known.
  package var messageEncoding: MessageEncoding? {
    guard encodingIndex >= 0 else { return nil }
    return fields.withValue(at: Int(encodingIndex)) { MessageEncoding(wire: $0) }
  }

  /// Whether it names an encoding that is not known.
  package var hasUnknownEncoding: Bool {
    encodingIndex >= 0 && messageEncoding == nil
      && !fields.withValue(at: Int(encodingIndex)) { $0.equals("identity") }
  }

  /// Whether the client takes messages compressed like that.
  package func accepts(_ encoding: MessageEncoding) -> Bool {
    fields.fields.indices.contains { index in
      fields.hasName("grpc-accept-encoding", at: index)
        && fields.value(at: index).split(separator: ",").contains {
          $0.drop { $0 == " " }.prefix { $0 != " " } == encoding.rawValue
        }
    }
  }

  package var isPOST: Bool {
    methodIndex >= 0 && fields.withValue(at: Int(methodIndex)) { $0.equals("POST") }
  }

  package func withPath<Result>(_ body: (RawSpan) -> Result) -> Result? {
    pathIndex < 0 ? nil : fields.withValue(at: Int(pathIndex), body)
  }

  private func value(_ index: Int16) -> String? {
    index < 0 ? nil : fields.value(at: Int(index))
  }
}
