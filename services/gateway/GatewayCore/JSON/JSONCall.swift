import ProtobufJSON
import RPC
import RPCInProcess
import ServiceKit

/// One request of a JSON caller with a stream of messages, either way, as one gRPC call of the
/// gateway; without one it is a ``JSONUnaryCall``.
///
/// Memory is bounded: a request of one message is held whole, up to the limit; of streams one line
/// and one message are held at a time.
struct JSONCall: Sendable {
  private let request: JSONRequest
  private let caller: ServerExchange
  private let face: JSONFace
  private let codec: JSONCodec
  private let messageBytesMax: Int
  private let bodyMax: Duration
  private let writer: JSONWriter

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

  /// A request of one message, read and checked before anybody is called; nil of others. On the
  /// caller's loop.
  ///
  /// - Throws: a failure of the face's, that the caller is still to be told.
  func first() async throws -> [UInt8]? {
    guard !kind.streamsRequests else { return nil }
    var part: BodyBudget.Part?
    let wire = try request.wire(try await body(&part), codec)
    withExtendedLifetime(part) {}
    return wire
  }

  /// Makes the call and writes its answer. On the caller's loop.
  ///
  /// - Throws: what the caller is still to be told: the call's status, or a failure of the face's.
  func run(_ first: [UInt8]?, on channel: InProcessChannel) async throws {
    var options = ExchangeOptions()
    options.messageBytesMax = .max
    let service = try await channel.openExchange(
      InnerCall.head(to: request.route.method.path, from: caller.head), options: options)
    do {
      if let first {
        try await service.send(MessageFramer.frame(RawMessage(first)))
        await service.finish()
        try await respond(service)
      } else {
        try await InnerUpload(to: service) { try await upload(to: service) }
          .run { try await respond(service) }
      }
    } catch {
      await InnerCall.giveUp(service)
      throw error
    }
  }

  // MARK: - Requests

  /// The whole body. On the caller's loop.
  ///
  /// - Parameter part: Counts what is held of one that is long.
  private func body(_ part: inout BodyBudget.Part?) async throws -> [UInt8] {
    // Whoever sends a byte now and then would hold the connection for ever.
    let late = GatewayFailure.bodyTooSlow
    let inbox = caller.inbox
    caller.exchange.setTimer(.after(bodyMax)) {
      inbox.fail(RPCError(.cancelled, late.reason))
    }
    defer { caller.exchange.cancelTimer() }
    var body: [UInt8] = []
    while let chunk = try await chunk(orFail: late) {
      guard body.count + chunk.count <= messageBytesMax, request.route.body != .none else {
        throw GatewayFailure.messageTooLarge(
          bytesMax: request.route.body == .none ? 0 : messageBytesMax)
      }
      if let part {
        try part.add(chunk.count)
      } else if body.count + chunk.count > BodyBudget.freeBytes {
        try await face.check(caller, path: request.route.method.path)
        let new = BodyBudget.Part(of: face.bodies)
        part = new
        try new.add(body.count + chunk.count)
      }
      body += chunk
      guard caller.exchange.hold(body.count) else { throw RPCError.tooMuchHeld }
    }
    _ = caller.exchange.hold(0)
    return body
  }

  private func chunk(orFail late: GatewayFailure) async throws -> [UInt8]? {
    do {
      return try await caller.nextChunk()
    } catch let error as RPCError where error.code == .cancelled && error.message == late.reason {
      throw late
    }
  }

  /// Sends each line of the body as a message.
  private func upload(to service: ClientExchange) async throws {
    var lines = LineReader(bytesMax: messageBytesMax)
    while let chunk = try await caller.nextChunk() {
      lines.append(chunk)
      while let line = try lines.next() { try await send(line, lines.number, to: service) }
    }
    if let line = lines.last() { try await send(line, lines.number, to: service) }
    await service.finish()
  }

  private func send(_ line: [UInt8], _ number: Int, to service: ClientExchange) async throws {
    guard line.contains(where: { $0 != 0x20 && $0 != 0x0d && $0 != 0x09 }) else { return }
    let wire: [UInt8]
    do throws(JSONParseError) {
      wire = try codec.mapping.wire(fromJSON: line, to: request.route.input)
    } catch {
      throw CommonFailure.invalidFields(error.violations.map { .json($0, line: number) })
    }
    try await service.send(MessageFramer.frame(RawMessage(wire)))
  }

  // MARK: - Responses

  private func respond(_ service: ClientExchange) async throws {
    let output = request.route.output
    writer.takeLimits(of: try await service.head())
    if kind.streamsResponses {
      while let message = try await service.inbox.nextMessageOnLoop(RawMessage.self) {
        try await writer.write(message.bytes, of: output, request.format)
      }
      if let error = try await outcome(service) { throw error }
      return try await writer.end(request.format)
    }
    let message = try await service.inbox.nextMessageOnLoop(RawMessage.self)
    if let error = try await outcome(service) { throw error }
    guard let message else {
      throw RPCError(.internalError, "the call has neither a status nor a response")
    }
    try await caller.exchange.onLoop { try writer.write(whole: message.bytes, of: output) }
  }

  /// The call's status; nil is OK.
  private func outcome(_ service: ClientExchange) async throws -> RPCError? {
    // What follows a status does not matter, and a unary call's second message is refused there.
    while try await service.inbox.nextMessageOnLoop(RawMessage.self) != nil {}
    return StatusFields.outcome(head: try await service.head(), trailers: await service.trailers())
  }
}

/// A message that stays bytes.
struct RawMessage: WireMessage, Hashable {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  init(wire: RawSpan) { bytes = wire.withUnsafeBytes { Array($0) } }

  func wireBytes(headroom: Int) -> [UInt8] { [UInt8](repeating: 0, count: headroom) + bytes }
}

/// Cuts a body into lines, each no longer than the limit. A pure value.
struct LineReader: Sendable, Hashable {
  private let bytesMax: Int
  private var bytes: [UInt8] = []
  private var index = 0
  /// Before it there is no end of a line that was not given.
  private var searched = 0
  /// Of the line given last; the first is 1.
  private(set) var number = 0

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  /// What is still to be searched for an end, in bytes.
  var unsearched: Int { bytes.count - searched }

  mutating func append(_ chunk: [UInt8]) {
    if index > 0 {
      bytes.removeFirst(index)
      searched -= index
      index = 0
    }
    bytes += chunk
  }

  /// The next whole line, without its end; nil where there is none yet.
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

  /// What follows the last line's end, if anything does.
  mutating func last() -> [UInt8]? {
    guard index < bytes.count else { return nil }
    defer { (index, searched) = (bytes.count, bytes.count) }
    number += 1
    return Array(bytes[index...])
  }
}
