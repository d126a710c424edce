/// A request head: its header fields, with the important ones located once.
public struct RequestHead: Sendable, Hashable {
  /// Every field in wire order, pseudo headers first.
  public private(set) var fields: HeaderList

  // The indexes of the fields in the list, or -1.
  private var methodIndex: Int16 = -1
  private var pathIndex: Int16 = -1
  private var contentTypeIndex: Int16 = -1
  private var timeoutIndex: Int16 = -1
  private var encodingIndex: Int16 = -1
  private var hasContentType = false
  private var repeatsTimeout = false
  private var singles: Singles = []
  /// The memo shared by equal heads; use it on the connection's loop only.
  package var memo: HeadMemo?

  /// Whether the HTTP fields agree with each other. The connection has refused all other faults
  /// already.
  package private(set) var isWellFormed = true
  /// Why the head is not valid for gRPC, in words for the caller; nil if it is.
  package private(set) var fault: String?

  /// Creates a head from received fields.
  public init(fields: HeaderList) {
    self.fields = fields
    let bytes = fields.bytes.span.bytes
    for (index, field) in fields.fields.enumerated() {
      let name = bytes.extracting(field.nameRange)
      let position = Int16(truncatingIfNeeded: index)
      switch field.nameCount {
      case 2 where name.equals("te"): takeOnce(.te, "te")
      case 4 where name.equals("host"):
        isWellFormed =
          isWellFormed && fields.withValue(at: index) { Authority.isValid($0) }
          && Authority.agree(fields)
      case 5 where name.equals(":path"): pathIndex = position
      case 7 where name.equals(":method"): methodIndex = position
      case 7 where name.equals(":scheme"):
        isWellFormed = isWellFormed && fields.withValue(at: index) { Authority.isHTTP(scheme: $0) }
      case 10 where name.equals(":authority"):
        isWellFormed = isWellFormed && fields.withValue(at: index) { Authority.isValid($0) }
      case 10 where name.equals("user-agent"): takeOnce(.userAgent, "user-agent")
      case 12 where name.equals("content-type"):
        // A repeated content type cannot be trusted, so it counts as missing.
        contentTypeIndex = hasContentType ? -1 : position
        hasContentType = true
      case 12 where name.equals("grpc-timeout"):
        repeatsTimeout = timeoutIndex >= 0
        take(position, as: \.timeoutIndex, "grpc-timeout")
      case 13 where name.equals("grpc-encoding"):
        take(position, as: \.encodingIndex, "grpc-encoding")
      case 17 where name.equals("grpc-message-type"):
        takeOnce(.messageType, "grpc-message-type")
      default:
        if fault == nil { fault = MetadataRules.fault(fields, at: index) }
      }
    }
  }

  /// Fields that are no list, so that two of them have no meaning. `grpc-accept-encoding` is one.
  private struct Singles: OptionSet, Hashable {
    let rawValue: UInt8
    static let te = Singles(rawValue: 1)
    static let userAgent = Singles(rawValue: 2)
    static let messageType = Singles(rawValue: 4)
  }

  private mutating func takeOnce(_ field: Singles, _ name: StaticString) {
    if !singles.insert(field).inserted { fault = "\(name) is there twice" }
  }

  private mutating func take(
    _ position: Int16, as place: WritableKeyPath<RequestHead, Int16>, _ name: StaticString
  ) {
    if self[keyPath: place] >= 0 { fault = "\(name) is there twice" }
    self[keyPath: place] = position
  }

  /// Creates the head of a gRPC request, without `:scheme` and `:authority`, which the connection
  /// adds.
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

  /// Returns this head, which must have no `grpc-timeout`, with one as its last field.
  package func adding(timeout: Duration) -> RequestHead {
    var head = self
    head.timeoutIndex = Int16(truncatingIfNeeded: fields.count)
    head.fields.add("grpc-timeout", Timeout.format(timeout))
    return head
  }

  /// The path, `/package.Service/Method`; empty if missing.
  public var path: String { value(pathIndex) ?? "" }
  /// The HTTP method; empty if missing.
  public var method: String { value(methodIndex) ?? "" }
  /// The content type; nil if missing or repeated.
  public var contentType: String? { value(contentTypeIndex) }
  /// The `:authority`, else `host`; nil if both are missing.
  public var authority: String? { fields[":authority"] ?? fields["host"] }
  /// The value of `grpc-encoding`; nil if missing.
  public var encoding: String? { value(encodingIndex) }

  /// The custom metadata.
  public var metadata: Metadata { Metadata(custom: fields) }

  /// The caller's timeout from `grpc-timeout`; nil if missing or malformed.
  public var timeout: Duration? {
    guard timeoutIndex >= 0 else { return nil }
    return fields.withValue(at: Int(timeoutIndex)) { Timeout.parse($0) }
  }

  /// The index of `grpc-timeout` among the fields; nil if missing.
  package var timeoutPlace: Int? { timeoutIndex >= 0 ? Int(timeoutIndex) : nil }

  /// Returns this head with another value of `grpc-timeout`, of the same length.
  package func with(timeout value: RawSpan) -> RequestHead {
    var head = self
    head.fields.replaceValue(at: Int(timeoutIndex), with: value)
    return head
  }

  /// Whether `grpc-timeout` is malformed or there is more than one.
  package var hasBadTimeout: Bool { timeoutIndex >= 0 && (repeatsTimeout || timeout == nil) }

  /// Whether the content type is that of a gRPC request.
  public var isGRPC: Bool {
    guard contentTypeIndex >= 0 else { return false }
    return fields.withValue(at: Int(contentTypeIndex)) { ContentType.isGRPCRequest($0) }
  }

  /// The compression of messages whose flag is set; nil if the head names no known one.
  package var messageEncoding: MessageEncoding? {
    guard encodingIndex >= 0 else { return nil }
    return fields.withValue(at: Int(encodingIndex)) { MessageEncoding(wire: $0) }
  }

  /// Whether the head names an unknown compression.
  package var hasUnknownEncoding: Bool {
    encodingIndex >= 0 && messageEncoding == nil
      && !fields.withValue(at: Int(encodingIndex)) { $0.equals("identity") }
  }

  /// Returns whether the client accepts messages of this encoding.
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
