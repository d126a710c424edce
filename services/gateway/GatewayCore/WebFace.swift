public import Logging
public import RPC
import RPCInProcess
import ServiceKit

/// The gateway's gRPC-Web face, binary and text: each request becomes an in-process gRPC call to
/// the gateway, messages unchanged; the status is sent as the last frame of the body.
///
/// Safe to use from any task. Source: grpc's PROTOCOL-WEB.
public struct WebFace: ExchangeHandler {
  private let gateway: Dispatcher
  private let origins: BrowserOrigins
  private let streamsRequests: @Sendable (_ path: String) -> Bool

  /// - Throws: An error of the inner router.
  public init(of gateway: Gateway, origins: BrowserOrigins, logger: Logger) throws {
    self.gateway = Dispatcher(
      router: try Router(services: []), handlers: [gateway], logger: logger)
    self.origins = origins
    streamsRequests = { gateway.mayStreamRequests($0) }
  }

  public func claims(_ head: RequestHead) -> Bool { WebFormat(head.contentType) != nil }

  public func serve(_ exchange: ServerExchange) async {
    let allowed = origins.fields(for: exchange.head)
    guard let format = WebFormat(exchange.head.contentType), exchange.head.method == "POST" else {
      var head: HeaderList = [":status": "405", "allow": "POST"]
      head.add(contentsOf: allowed)
      head.addDate()
      return await exchange.sendHead(head, endsStream: true)
    }
    if streamsRequests(exchange.head.path) {
      // It may be silent, as over gRPC.
      await exchange.exchange.onLoop { exchange.exchange.awaitsRequest = false }
    }
    let channel = InnerCall.channel(to: gateway, for: exchange)
    var answer = WebAnswer(exchange, format, fields: allowed)
    do {
      let failure = FaceFailure()
      let service = try await channel.openExchange(
        failure.noted(in: Self.head(of: exchange.head)))
      do {
        try await forward(exchange, service, failure, format, &answer)
      } catch {
        failure.note(error)
        await InnerCall.giveUp(service)
        throw error
      }
    } catch {
      await answer.end(error as? RPCError ?? RPCError(.cancelled, "the call was cancelled"))
    }
  }

  /// Returns the head of the gRPC call, with the message encodings, since messages pass unchanged.
  private static func head(of head: RequestHead) -> RequestHead {
    var fields = InnerCall.head(to: head.path, from: head, .contract).fields
    for name in ["grpc-encoding", "grpc-accept-encoding"] {
      if let value = head.fields[name] { fields.add(name, value) }
    }
    return RequestHead(fields: fields)
  }

  private func forward(
    _ exchange: ServerExchange, _ service: ClientExchange, _ failure: FaceFailure,
    _ format: WebFormat, _ answer: inout WebAnswer
  ) async throws {
    let upload = InnerUpload(to: service, telling: failure) {
      try await Self.upload(exchange, to: service, format)
    }
    try await upload.run {
      let head = try await service.head()
      let isAll = head["grpc-status"] != nil
      try await answer.begin(isAll ? [:] : head)
      while let chunk = try await service.nextChunk() { try await answer.write(chunk) }
      if let trailers = await service.trailers() ?? (isAll ? head : nil) {
        await answer.end(trailers)
      } else {
        await answer.end(StatusFields.outcome(head: head, trailers: nil))
      }
    }
  }

  private static func upload(
    _ exchange: ServerExchange, to service: ClientExchange, _ format: WebFormat
  ) async throws {
    var text = Base64Stream()
    // The inner call refuses what is too long.
    var meter = MessageMeter(messageBytesMax: .max)
    while let chunk = try await exchange.nextChunk() {
      let bytes = format.isText ? try text.decode(chunk) : chunk
      if bytes.isEmpty { continue }
      _ = meter.pass(bytes)
      // The inner call buffers the bytes until a message is complete.
      let held = meter.partBytes
      if let error = await exchange.exchange.onLoop({ exchange.exchange.hold(held).refusal }) {
        throw error
      }
      try await service.send(bytes)
    }
    guard text.isWhole else { throw Base64Stream.malformed }
    await exchange.exchange.onLoop { _ = exchange.exchange.hold(0) }
    await service.finish()
  }
}

/// The two gRPC-Web encodings; a response is encoded like its request.
struct WebFormat: Sendable, Hashable {
  let contentType: String
  let isText: Bool

  init?(_ contentType: String?) {
    guard let type = contentType?.prefix(while: { $0 != ";" }).lowercased() else { return nil }
    switch type {
    case "application/grpc-web", "application/grpc-web+proto": isText = false
    case "application/grpc-web-text", "application/grpc-web-text+proto": isText = true
    default: return nil
    }
    self.contentType = type
  }
}

/// Writes the response.
private struct WebAnswer {
  /// The flag of the frame that holds the trailers.
  private static let trailersFlag: UInt8 = 0x80

  private let caller: ServerExchange
  private let format: WebFormat
  private let fields: HeaderList
  private var hasBegun = false

  init(_ caller: ServerExchange, _ format: WebFormat, fields: HeaderList) {
    self.caller = caller
    self.format = format
    self.fields = fields
  }

  /// - Parameter inner: The response head of the gRPC call.
  mutating func begin(_ inner: HeaderList) async throws {
    var head: HeaderList = [":status": "200", "content-type": format.contentType]
    if let encoding = inner["grpc-encoding"] { head.add("grpc-encoding", encoding) }
    let custom = Metadata(custom: inner).list
    head.add(contentsOf: custom)
    var fields = fields
    BrowserOrigins.expose(custom, in: &fields)
    head.add(contentsOf: fields)
    head.addDate()
    hasBegun = true
    await caller.sendHead(head)
  }

  func write(_ chunk: [UInt8]) async throws {
    guard format.isText else { return try await caller.send(chunk) }
    var text = Array(Base64.encode(chunk).utf8)
    while text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
    try await caller.send(text)
  }

  /// Ends the response with a status of the gateway's own; nil is OK.
  mutating func end(_ error: RPCError?) async {
    var trailers = HeaderList()
    StatusFields.append(error, trailers: [:], to: &trailers)
    await end(trailers)
  }

  /// Ends the response with these trailers as the last frame.
  mutating func end(_ trailers: HeaderList) async {
    if !hasBegun { try? await begin([:]) }
    var text: [UInt8] = []
    for index in 0..<trailers.count {
      let name = trailers.name(at: index)
      guard !name.hasPrefix(":"), name != "content-type" else { continue }
      text += Array(name.utf8) + Array(": ".utf8) + trailers.valueBytes(at: index)
      text += "\r\n".utf8
    }
    let length = (0..<4).map { UInt8(truncatingIfNeeded: text.count >> (24 - 8 * $0)) }
    try? await write([Self.trailersFlag] + length + text)
    await caller.finish()
  }
}

/// Decodes base64 that arrives in chunks, each padded or split anywhere. A pure value.
struct Base64Stream: Sendable, Hashable {
  static let malformed = RPCError(.internalError, "the body is not base64")

  private var rest: [UInt8] = []

  /// Whether no incomplete group is left over.
  var isWhole: Bool { rest.isEmpty }

  mutating func decode(_ chunk: [UInt8]) throws(RPCError) -> [UInt8] {
    rest += chunk
    let whole = rest.count / 4 * 4
    var bytes: [UInt8] = []
    bytes.reserveCapacity(whole / 4 * 3)
    // Padding ends a piece; the next group begins a new one.
    var start = 0
    for end in stride(from: 4, through: whole, by: 4) where end == whole || isPadded(end) {
      guard let piece = Base64.decode(rest[start..<end]) else { throw Self.malformed }
      bytes += piece
      start = end
    }
    rest.removeFirst(whole)
    return bytes
  }

  private func isPadded(_ end: Int) -> Bool { rest[end - 1] == UInt8(ascii: "=") }
}
