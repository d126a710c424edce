import ProtobufJSON
import RPC
import RPCInProcess
import ServiceKit

/// A JSON request of a streaming method, made as one in-process gRPC call to the gateway. Unary
/// methods use ``JSONUnaryCall``.
///
/// Memory is bounded: a single request message is buffered up to the limit; of streams, one line
/// and one message at a time.
struct JSONCall: Sendable {
  private let request: JSONRequest
  private let caller: ServerExchange
  private let face: JSONFace
  private let codec: JSONCodec
  private let messageBytesMax: Int
  private let bodyMax: Duration
  private let writer: JSONWriter
  /// The failure of the request, or of the line at which a bidirectional stream's request ended.
  private let failure = FaceFailure()

  init(
    _ request: JSONRequest, _ caller: ServerExchange, of face: JSONFace, codec: JSONCodec,
    messageBytesMax: Int, bodyMax: Duration, writer: JSONWriter
  ) {
    self.request = request
    self.caller = caller
    self.face = face
    self.codec = codec
    self.messageBytesMax = messageBytesMax
    self.bodyMax = bodyMax
    self.writer = writer
  }

  private var kind: MethodKind { request.route.method.kind }

  /// Reads and validates the request of a method with a single request message, before the call is
  /// made; nil for streamed requests. On the caller's loop.
  ///
  /// - Throws: A failure that has not been sent to the caller yet.
  func first() async throws -> [UInt8]? {
    guard !kind.streamsRequests else { return nil }
    var part: BodyBudget.Part?
    let body = try await body(&part)
    let wire = try await convert(body.count) { [request, codec] in try request.wire(body, codec) }
    withExtendedLifetime(part) {}
    return wire
  }

  /// Makes the call and writes its response. On the caller's loop.
  ///
  /// - Throws: The call's status, or a failure of the JSON face; neither has been sent to the
  ///   caller yet.
  func run(_ first: [UInt8]?, on channel: InProcessChannel) async throws {
    // A stream of requests may be silent, as over gRPC.
    if kind.streamsRequests {
      await caller.exchange.onLoop { caller.exchange.awaitsRequest = false }
    }
    var options = ExchangeOptions()
    options.messageBytesMax = face.answerBytesMax
    let head = failure.noted(
      in: InnerCall.head(to: request.route.method.path, from: caller.head))
    let service = try await channel.openExchange(head, options: options)
    do {
      if let first {
        try await service.send(MessageFramer.frame(RawMessage(first)))
        await service.finish()
        try await respond(service)
      } else {
        try await InnerUpload(to: service, telling: failure) { try await upload(to: service) }
          .run { try await respond(service) }
      }
    } catch {
      failure.note(error)
      await InnerCall.giveUp(service)
      throw error
    }
  }

  // MARK: - Requests

  /// Reads the whole body. On the caller's loop.
  ///
  /// - Parameter part: Set for a long body; counts its buffered bytes.
  private func body(_ part: inout BodyBudget.Part?) async throws -> [UInt8] {
    try request.check(bodyBytes: request.statedBytes, bytesMax: messageBytesMax)
    // Without a timer, a client that trickles bytes would hold the connection for ever.
    let inbox = caller.inbox
    caller.exchange.setTimer(.after(bodyMax)) { inbox.fail(.requestStalled) }
    defer {
      caller.exchange.cancelTimer()
      caller.exchange.hold(0)
    }
    var body: [UInt8] = []
    while let chunk = try await chunk() {
      try request.check(bodyBytes: body.count + chunk.count, bytesMax: messageBytesMax)
      if let part {
        try part.add(chunk.count)
      } else if body.count + chunk.count > BodyBudget.freeBytes {
        try await face.check(caller, path: request.route.method.path)
        let new = BodyBudget.Part(of: face.bodies)
        part = new
        try new.add(body.count + chunk.count)
      }
      body += chunk
      try BodyBudget.hold(body.count, for: caller.exchange)
    }
    return body
  }

  private func chunk() async throws -> [UInt8]? {
    do {
      return try await caller.nextChunk()
    } catch let error as RPCError where error.code == .deadlineExceeded {
      throw GatewayFailure.bodyTooSlow
    }
  }

  /// Sends each line of the body as a message. At an invalid line the request of a bidirectional
  /// stream ends, so that the messages before it get their responses; if there are none, and with
  /// any other method, the call is given up. Nothing behind that line is read.
  private func upload(to service: ClientExchange) async throws {
    var count = 0
    do {
      try await sendLines(to: service, &count)
    } catch let error as any ServiceFailure where kind == .bidirectionalStreaming && count > 0 {
      failure.note(error)
    }
    try await hold(0)
    await service.finish()
    if count == 0 { await keepAlive() }
  }

  /// - Parameter count: Counts the messages that were sent.
  private func sendLines(to service: ClientExchange, _ count: inout Int) async throws {
    var lines = LineReader(bytesMax: messageBytesMax)
    while let chunk = try await caller.nextChunk() {
      lines.append(chunk)
      while let line = try lines.next() { try await send(line, lines.number, to: service, &count) }
      try await hold(lines.unreadBytes)
    }
    if let line = lines.last() { try await send(line, lines.number, to: service, &count) }
  }

  /// Counts the buffered bytes of a line that is not whole.
  private func hold(_ count: Int) async throws {
    let exchange = caller.exchange
    try await exchange.onLoop { try BodyBudget.hold(count, for: exchange) }
  }

  private func send(
    _ line: [UInt8], _ number: Int, to service: ClientExchange, _ count: inout Int
  ) async throws {
    guard line.contains(where: { $0 != 0x20 && $0 != 0x0d && $0 != 0x09 }) else { return }
    let wire = try await convert(line.count) { [request, codec] in
      do throws(JSONParseError) {
        return try codec.mapping.wire(fromJSON: line, to: request.route.input)
      } catch {
        throw CommonFailure.invalidFields(error.violations.map { .json($0, line: number) })
      }
    }
    try await service.send(MessageFramer.frame(RawMessage(wire)))
    count += 1
    if count == 1 { await keepAlive() }
  }

  /// Converts that many bytes of JSON: many of them in turn, on another thread.
  private func convert(
    _ count: Int, _ work: @escaping @Sendable () throws -> [UInt8]
  ) async throws -> [UInt8] {
    let exchange = caller.exchange
    return try await exchange.onLoop {
      try await exchange.transport.largeMessages.run(onBytes: count, work)
    }
  }

  // MARK: - Responses

  /// Starts the clock of a response stream, once its service has a message to answer: a request
  /// whose first message is invalid is always refused by its status.
  private func keepAlive() async {
    if kind.streamsResponses { await writer.keepAlive(request.format, face.pace) }
  }

  private func respond(_ service: ClientExchange) async throws {
    let output = request.route.output
    if !kind.streamsRequests { await keepAlive() }
    let head = try await service.head()
    writer.takeFields(of: head)
    if kind.streamsResponses {
      if head["grpc-status"] == nil { await writer.begin(request.format) }
      while let message = try await service.inbox.nextMessageOnLoop(RawMessage.self) {
        try await writer.write(message.bytes, of: output, request.format)
      }
      // A call that failed did not answer every line before the invalid one.
      if let error = try await outcome(service) { throw error }
      if let wrong = failure.error { throw wrong }
      return try await writer.end(request.format)
    }
    let message = try await service.inbox.nextMessageOnLoop(RawMessage.self)
    if let error = try await outcome(service) { throw error }
    guard let message else {
      throw RPCError(.internalError, "the call has neither a status nor a response")
    }
    try await caller.exchange.onLoop { try writer.write(whole: message.bytes, of: output) }
  }

  /// Reads the call's status; nil is OK.
  private func outcome(_ service: ClientExchange) async throws -> RPCError? {
    // Drains the stream. Messages after the first of a unary response are ignored here.
    while try await service.inbox.nextMessageOnLoop(RawMessage.self) != nil {}
    return StatusFields.outcome(head: try await service.head(), trailers: await service.trailers())
  }
}

/// A message in wire format that is not decoded.
struct RawMessage: WireMessage, Hashable {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  init(wire: RawSpan) { bytes = wire.withUnsafeBytes { Array($0) } }

  func wireBytes(headroom: Int) -> [UInt8] { [UInt8](repeating: 0, count: headroom) + bytes }
}

/// Splits a body into lines of bounded length. A pure value.
struct LineReader: Sendable, Hashable {
  private let bytesMax: Int
  private var bytes: [UInt8] = []
  private var index = 0
  /// Start of the part that has not been searched for a line break.
  private var searched = 0
  /// Number of the last line returned, from 1 on.
  private(set) var number = 0

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  /// Bytes that have not been searched for a line break.
  var unsearched: Int { bytes.count - searched }

  /// Bytes that were not returned.
  var unreadBytes: Int { bytes.count - index }

  mutating func append(_ chunk: [UInt8]) {
    if index > 0 {
      bytes.removeFirst(index)
      searched -= index
      index = 0
    }
    bytes += chunk
  }

  /// Returns the next complete line, without its line break; nil where there is none yet.
  mutating func next() throws(GatewayFailure) -> [UInt8]? {
    guard let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) else {
      searched = bytes.count
      guard bytes.count - index <= bytesMax else { throw .messageTooLarge(bytesMax: bytesMax) }
      return nil
    }
    guard end - index <= bytesMax else { throw .messageTooLarge(bytesMax: bytesMax) }
    defer { (index, searched) = (end + 1, end + 1) }
    number += 1
    return Array(bytes[index..<end])
  }

  /// Returns the unterminated last line, if there is one.
  mutating func last() -> [UInt8]? {
    guard index < bytes.count else { return nil }
    defer { (index, searched) = (bytes.count, bytes.count) }
    number += 1
    return Array(bytes[index...])
  }
}
