/// Encodes and decodes a status as header fields: `grpc-status`, `grpc-message` and
/// `grpc-status-details-bin`.
///
/// Other implementations accept header lists of 8 KiB, names and 32 bytes a field included, and
/// fail the call, or even the connection, for a longer one (grpc's C core, grpc-java). So message
/// and details are bounded together, in order that the code of an error reaches the caller; 1 KiB
/// is left for the other fields.
package enum StatusFields {
  /// The limit of message and details together in bytes, as they are encoded.
  private static let bytesMax = 7 << 10
  /// The limit of the encoded `grpc-message` in bytes; the rest is cut off.
  private static let messageBytesMax = 4 << 10
  /// The limit of the details in bytes, before they are encoded; larger ones are left out.
  package static let detailsBytesMax = 4_608

  /// Appends the status, then the trailing metadata.
  package static func append(_ error: RPCError?, trailers: Metadata, to fields: inout HeaderList) {
    guard let error else {
      fields.add("grpc-status", "0")
      fields.add(contentsOf: trailers.list)
      return
    }
    fields.add("grpc-status", String(error.code.rawValue))
    let details = error.details.count <= detailsBytesMax ? Base64.encode(error.details) : ""
    if !error.message.isEmpty {
      let room = min(messageBytesMax, bytesMax - details.utf8.count)
      fields.add("grpc-message", PercentEncoding.encode(error.message, bytesMax: room))
    }
    if !details.isEmpty { fields.add("grpc-status-details-bin", details) }
    fields.add(contentsOf: trailers.list)
    fields.add(contentsOf: error.metadata.list)
  }

  /// The status in trailers or in a Trailers-Only head.
  package enum Parsed: Sendable, Hashable {
    case ok
    case failed(RPCError)
    /// There is no `grpc-status`.
    case missing
  }

  package static func parse(_ fields: HeaderList) -> Parsed {
    if fields.saysOK { return .ok }
    let texts = (0..<fields.count).filter { fields.hasName("grpc-status", at: $0) }
      .map { fields.value(at: $0) }
    guard let text = texts.first else { return .missing }
    // Of statuses that differ none can be believed.
    guard let number = decimal(text), texts.allSatisfy({ $0 == text }) else {
      return .failed(
        RPCError(
          .unknown, "the status '\(texts.joined(separator: ", "))' is no number", isRemote: true))
    }
    if number == 0 { return .ok }
    let code = RPCError.Code(rawValue: number)
    let message =
      fields.firstIndex(of: "grpc-message").map {
        PercentEncoding.decode(fields.valueBytes(at: $0))
      } ?? (code == nil ? "the status \(number) is not known" : "")
    let details =
      fields.firstIndex(of: "grpc-status-details-bin").flatMap {
        Base64.decode(fields.valueBytes(at: $0))
      } ?? []
    return .failed(
      RPCError(
        code ?? .unknown, message, details: details, metadata: Metadata(custom: fields),
        isRemote: true))
  }

  private static func decimal(_ text: String) -> Int? {
    text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      ? Int(text) : nil
  }

  /// Returns the outcome of a response that its peer has ended; nil is OK.
  package static func outcome(head: HeaderList?, trailers: HeaderList?) -> RPCError? {
    guard let head else { return RPCError(.internalError, "the response has no head") }
    if (trailers ?? head).saysOK { return nil }
    let status = head[":status"].flatMap { Int($0) } ?? 0
    switch parse(trailers ?? head) {
    case .ok: return nil
    case .failed(let error): return error
    case .missing:
      return RPCError(
        StatusMapping.code(forHTTP: status),
        status == 200
          ? "the response has no grpc-status" : "the response is HTTP \(status), not gRPC")
    }
  }

  /// Returns the error of a response head that is not gRPC's, before any of the body is read; nil
  /// if it is.
  package static func refusal(ofHead head: HeaderList) -> RPCError? {
    if head.isAnswer { return nil }
    let status = head[":status"].flatMap { Int($0) } ?? 0
    let type = head["content-type"] ?? ""
    if status == 200, ContentType.isGRPC(type) { return nil }
    if case .failed(let error) = parse(head) { return error }
    if status == 200 {
      return RPCError(.unknown, "the response's content type '\(type)' is not gRPC's")
    }
    return RPCError(
      StatusMapping.code(forHTTP: status), "the response is HTTP \(status), not gRPC")
  }
}

extension HeaderList {
  /// Whether this is the usual head of a gRPC response. Checked in place, since it runs for every
  /// call.
  fileprivate var isAnswer: Bool {
    var isOK = false
    var isGRPC = false
    let bytes = bytes.span.bytes
    for field in fields {
      let name = bytes.extracting(field.nameRange)
      switch field.nameCount {
      case 7 where name.equals(":status"):
        isOK = bytes.extracting(field.valueRange).equals("200")
      case 12 where name.equals("content-type"):
        isGRPC = ContentType.isGRPC(bytes.extracting(field.valueRange))
      default: break
      }
    }
    return isOK && isGRPC
  }

  /// Whether there is a `grpc-status`, and none that is not 0.
  fileprivate var saysOK: Bool {
    let bytes = bytes.span.bytes
    var isOK = false
    for field in fields
    where field.nameCount == 11 && bytes.extracting(field.nameRange).equals("grpc-status") {
      guard bytes.extracting(field.valueRange).equals("0") else { return false }
      isOK = true
    }
    return isOK
  }
}

/// The content types of gRPC.
package enum ContentType {
  /// Returns whether the content type is that of a request: `application/grpc`, or with `+proto`,
  /// in any case of letters and with or without parameters. Messages are in no other format.
  /// Sources: gRPC's PROTOCOL-HTTP2, Requests; RFC 9110, section 8.3.1.
  package static func isGRPCRequest(_ type: RawSpan) -> Bool {
    if type.equals("application/grpc") { return true }
    var end = 0
    while end < type.byteCount,
      type.unsafeLoad(fromByteOffset: end, as: UInt8.self) != UInt8(ascii: ";")
    {
      end += 1
    }
    // Space may precede the parameters.
    while end > 0, end < type.byteCount,
      [UInt8(ascii: " "), UInt8(ascii: "\t")].contains(
        type.unsafeLoad(fromByteOffset: end - 1, as: UInt8.self))
    {
      end -= 1
    }
    let essence = type.extracting(0..<end)
    return essence.equalsIgnoringCase("application/grpc")
      || essence.equalsIgnoringCase("application/grpc+proto")
  }

  /// Returns whether the content type is that of a response: `application/grpc`, perhaps followed
  /// by a format or parameters; not `application/grpc-web`.
  package static func isGRPC(_ type: RawSpan) -> Bool {
    guard type.starts(with: "application/grpc") else { return false }
    guard type.byteCount > 16 else { return true }
    let next = type.unsafeLoad(fromByteOffset: 16, as: UInt8.self)
    return next == UInt8(ascii: "+") || next == UInt8(ascii: ";")
  }

  package static func isGRPC(_ type: String) -> Bool {
    var type = type
    return type.withUTF8 { isGRPC(RawSpan(_unsafeBytes: UnsafeRawBufferPointer($0))) }
  }
}
