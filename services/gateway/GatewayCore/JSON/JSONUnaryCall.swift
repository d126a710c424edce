import ProtobufJSON
import RPC
import ServiceKit

/// A JSON request of a unary method, made as one in-process gRPC call to the gateway without a
/// task: the message is sent when the body is complete, and the response when that is.
///
/// It is the transport of the inner call's exchange, so nothing is queued in between. Memory is
/// bounded: request and response are buffered up to their limits.
///
/// Guard: all mutable state is confined to the caller's event loop.
final class JSONUnaryCall: ExchangeListener, ExchangeTransport, @unchecked Sendable {
  private enum Phase { case gathering, proving, converting, calling, answered }

  private let request: JSONRequest
  private let caller: ServerExchange
  private let face: JSONFace
  private let codec: JSONCodec
  private let writer: JSONWriter
  @exclusivity(unchecked) private var phase = Phase.gathering
  @exclusivity(unchecked) private var body: [UInt8] = []
  /// Counts the buffered bytes of a long body.
  @exclusivity(unchecked) private var held: BodyBudget.Part?
  /// The inner call's exchange, while the gateway handles it.
  @exclusivity(unchecked) private var call: Exchange?
  @exclusivity(unchecked) private var answer = ExchangePart()
  /// Why the response was not passed on, for the record of the inner call.
  @exclusivity(unchecked) private(set) var failure: GatewayFailure?

  init(
    _ request: JSONRequest, _ caller: ServerExchange, of face: JSONFace, codec: JSONCodec,
    writer: JSONWriter
  ) {
    self.request = request
    self.caller = caller
    self.face = face
    self.codec = codec
    self.writer = writer
  }

  /// Starts the call, before any of the body was read. On the loop.
  func begin() {
    do {
      try request.check(bodyBytes: request.statedBytes, bytesMax: face.messageBytesMax)
    } catch {
      return fail(error)
    }
    caller.exchange.listener = self
    // Without a timer, a client that trickles bytes would hold the connection for ever.
    let inbox = caller.inbox
    caller.exchange.setTimer(after: face.bodyMax) { inbox.fail(.requestStalled) }
    if request.statedBytes > BodyBudget.freeBytes { prove(isWhole: false) }
  }

  // MARK: - Receiving the request

  func exchangeChanged(_ exchange: Exchange) {
    if exchange.state.isClosed { return callerGone() }
    guard phase == .gathering else { return }
    do {
      try gather()
    } catch {
      fail(error)
    }
  }

  private func gather() throws {
    let part: ExchangePart
    do {
      part = try caller.inbox.takeRequestPart()
    } catch {
      throw error.code == .deadlineExceeded ? GatewayFailure.bodyTooSlow : error
    }
    if !part.body.isEmpty {
      try request.check(
        bodyBytes: body.count + part.body.count, bytesMax: face.messageBytesMax)
      if body.isEmpty { body = part.body } else { body += part.body }
      try BodyBudget.hold(body.count, for: caller.exchange)
      if let held {
        try held.add(part.body.count)
      } else if body.count > BodyBudget.freeBytes {
        return prove(isWhole: part.isEnd)
      }
    }
    if part.isEnd { try makeCall() }
  }

  /// Continues with a long body if the caller may make the call. In a task, because authentication
  /// may have to read the store.
  private func prove(isWhole: Bool) {
    phase = .proving
    Task(executorPreference: loop) { [self] in
      do {
        try await face.check(caller, path: request.route.method.path)
        guard phase == .proving else { return }
        phase = .gathering
        let part = BodyBudget.Part(of: face.bodies)
        held = part
        try part.add(body.count)
        if isWhole { try makeCall() } else { try gather() }
      } catch {
        if phase != .answered { fail(error) }
      }
    }
  }

  /// Makes the call with the complete body; a large one is converted in turn, on another thread.
  private func makeCall() throws {
    caller.exchange.cancelTimer()
    guard body.count > MessageFramer.largeBytes else {
      return try makeCall(request.wire(body, codec))
    }
    phase = .converting
    Task(executorPreference: loop) { [self] in
      do {
        let wire = try await largeMessages.run(onBytes: body.count) { [request, body, codec] in
          try request.wire(body, codec)
        }
        if phase == .converting { try makeCall(wire) }
      } catch {
        if phase != .answered { fail(error) }
      }
    }
  }

  private func makeCall(_ wire: [UInt8]) throws {
    caller.exchange.hold(0)
    body = []
    held = nil
    open(try MessageFramer.frame(RawMessage(wire)))
  }

  /// Hands the inner call to the gateway's dispatcher.
  private func open(_ message: [UInt8]) {
    phase = .calling
    let call = Exchange(transport: self, id: ExchangeID(id: 1, slot: 0), state: .server)
    self.call = call
    let head = InnerCall.head(to: request.route.method.path, like: caller.head)
    _ = face.gateway.open(call, head: head)
    call.received(body: message.span.bytes)
    call.receivedEnd(trailers: nil)
  }

  private func callerGone() {
    caller.exchange.listener = nil
    guard phase == .gathering || phase == .proving || phase == .converting else {
      // The gateway is notified, and calls ``handlerEnded()`` when it is done.
      call?.closed(.reset(.cancel))
      return
    }
    phase = .answered
    caller.ended()
  }

  // MARK: - Sending the response

  private func finish() {
    guard phase == .calling else { return }
    answered()
    if let head = answer.head { writer.takeFields(of: head) }
    do {
      if let error = StatusFields.outcome(head: answer.head, trailers: answer.trailers) {
        throw error
      }
      try writer.write(whole: try message(), of: request.route.output)
    } catch {
      writer.fail(whole: error as? RPCError ?? RPCError(.internalError, "\(error)"))
    }
  }

  /// Returns the message of the inner call's response.
  private func message() throws(RPCError) -> [UInt8] {
    let body = answer.body
    var framer = MessageFramer(messageBytesMax: face.answerBytesMax)
    framer.append(body.span.bytes)
    // The inner request accepts no compression.
    guard case .message(let place) = framer.front(), !framer.isCompressed(place) else {
      throw RPCError(.internalError, "the call has neither a status nor a response")
    }
    return Array(framer.bytes[place])
  }

  /// Answers with a failure of the JSON face.
  private func fail(_ error: any Error) {
    answered()
    let told = face.answers.rendered(error, caller)
    face.note(caller, path: request.route.method.path, told.code, error)
    writer.fail(whole: told)
    caller.ended()
  }

  private func answered() {
    phase = .answered
    body = []
    held = nil
    caller.exchange.hold(0)
    caller.exchange.listener = nil
    caller.exchange.cancelTimer()
  }

  // MARK: - Transport of the inner call

  var loop: any ExchangeLoop { caller.exchange.loop }
  var peer: Peer { BrowserOrigins.peer(of: caller) }
  var largeMessages: LargeMessageQueue { caller.exchange.transport.largeMessages }
  var isCrowded: Bool { caller.exchange.transport.isCrowded }

  func sendHead(_: ExchangeID, _ head: OutboundHead, endsStream: Bool) {
    answer.head =
      switch head {
      case .grpc: [":status": "200", "content-type": "application/grpc"]
      case .fields(let list): list
      }
    if endsStream { finish() }
  }

  func sendBody(_: ExchangeID, _ bytes: [UInt8]) -> Bool {
    guard phase == .calling else { return true }
    let bytesMax = face.answerBytesMax
    guard answer.body.count + bytes.count <= bytesMax + MessageFramer.prefixBytes else {
      answered()
      answer.body = []
      let failure = GatewayFailure.answerTooLarge(bytesMax: bytesMax)
      self.failure = failure
      writer.fail(whole: face.answers.rendered(failure, caller))
      // Not within this call of the gateway, which has more to do with the exchange.
      loop.execute { self.call?.closed(.reset(.cancel)) }
      return true
    }
    if answer.body.isEmpty { answer.body = bytes } else { answer.body += bytes }
    return false
  }

  func sendEnd(_: ExchangeID, _ trailers: OutboundTrailers) {
    answer.trailers =
      switch trailers {
      case .none: nil
      case .grpcOK: ["grpc-status": "0"]
      case .fields(let list): list
      }
    finish()
  }

  func reset(_: ExchangeID, _ code: ResetCode) {
    guard phase == .calling else { return }
    answered()
    writer.fail(whole: StatusMapping.error(for: .reset(code)))
  }

  func consumed(_: ExchangeID, _: Int) {}

  /// Called when the gateway is done with the inner call.
  func handlerEnded() {
    let last = call
    call = nil
    last?.closed(.completed)
    caller.ended()
  }
}
