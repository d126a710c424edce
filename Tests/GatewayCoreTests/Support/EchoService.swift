import GRPCTesting
import RPC

/// What a test backend has received.
final class EchoProbe: Sendable {
  let calls = Counter()
  let cancelled = Counter()
  let sent = Counter()
  let received = Counter()
  let metadata = Shared<Metadata>([:])
  /// The address of the last caller, which is one for each connection.
  let address = Shared("")
  let timeout = Shared<Duration?>(nil)
}

/// A backend with the four kinds of calls.
struct EchoService: TestServiceProtocol {
  let probe: EchoProbe

  init(_ probe: EchoProbe = EchoProbe()) { self.probe = probe }

  private func note(_ context: ServerContext) {
    probe.metadata.value = context.metadata
    probe.address.value = context.peer.address
    probe.timeout.value = context.deadline?.remaining
    probe.calls.add()
  }

  /// Never answers.
  func emptyCall(_ request: Empty, context: ServerContext) async throws -> Empty {
    note(context)
    guard context.metadata[text: "x-hang"] != nil else { return Empty() }
    await untilCancelled()
    probe.cancelled.add()
    throw CancellationError()
  }

  func unaryCall(
    _ request: SimpleRequest, context: ServerContext
  ) async throws -> SimpleResponse {
    note(context)
    context.responseHeaders.add("x-head", "of the service")
    context.responseTrailers.add("x-tail-bin", [0, 255, 1])
    if let status = request.responseStatus, let code = RPCError.Code(rawValue: Int(status.code)) {
      throw RPCError(code, status.message, details: [8, 3], metadata: ["x-error": "detail"])
    }
    var response = SimpleResponse()
    response.payload = request.payload
    return response
  }

  func streamingOutputCall(
    _ request: StreamingOutputCallRequest, responses: ResponseWriter<StreamingOutputCallResponse>,
    context: ServerContext
  ) async throws {
    note(context)
    for parameters in request.responseParameters {
      var response = StreamingOutputCallResponse()
      var payload = Payload()
      payload.body = [UInt8](repeating: 7, count: Int(parameters.size))
      response.payload = payload
      try await responses.send(response)
      probe.sent.add()
    }
    if context.metadata[text: "x-hang"] != nil {
      await untilCancelled()
      probe.cancelled.add()
    }
  }

  func streamingInputCall(
    _ requests: RequestStream<StreamingInputCallRequest>, context: ServerContext
  ) async throws -> StreamingInputCallResponse {
    note(context)
    if context.metadata[text: "x-hang"] != nil {
      await untilCancelled()
      probe.cancelled.add()
    }
    var response = StreamingInputCallResponse()
    for try await request in requests {
      response.aggregatedPayloadSize += Int32(request.payload?.body.count ?? 0)
      probe.received.add()
    }
    return response
  }

  func fullDuplexCall(
    _ requests: RequestStream<StreamingOutputCallRequest>,
    responses: ResponseWriter<StreamingOutputCallResponse>, context: ServerContext
  ) async throws {
    note(context)
    do {
      for try await request in requests {
        var response = StreamingOutputCallResponse()
        response.payload = request.payload
        try await responses.send(response)
      }
    } catch {
      probe.cancelled.add()
      throw error
    }
  }
}

/// A backend that accepts any exchange and answers with OK, or never.
struct AnyBackend: ExchangeHandler {
  let heads = Shared<[RequestHead]>([])
  let opened = Counter()
  let cancelled = Counter()
  var hangs = false
  /// The response, a Trailers-Only OK by default.
  var answer: HeaderList = [
    ":status": "200", "content-type": "application/grpc", "grpc-status": "0",
  ]

  func claims(_ head: RequestHead) -> Bool { true }

  func serve(_ exchange: ServerExchange) async {
    heads.update { $0.append(exchange.head) }
    opened.add()
    if hangs {
      await untilCancelled()
      cancelled.add()
    } else {
      await exchange.sendHead(answer, endsStream: true)
    }
  }
}

/// A backend that resets the first calls and answers the others.
struct ResettingBackend: ExchangeHandler {
  var code = ResetCode.enhanceYourCalm
  var refusals = Int.max
  /// The bytes of a body that are read before a reset: by default all of it, which must have
  /// arrived where a lost call is to be retried.
  var bytesMin = Int.max
  let seen = Counter()
  /// The body of the last call.
  let body = Shared<[UInt8]>([])

  func claims(_ head: RequestHead) -> Bool { true }

  func serve(_ exchange: ServerExchange) async {
    let isRefused = seen.value < refusals
    var body: [UInt8] = []
    while !isRefused || body.count < bytesMin, let chunk = try? await exchange.nextChunk() {
      body += chunk
    }
    self.body.value = body
    seen.add()
    guard !isRefused else { return await exchange.reset(code) }
    await exchange.sendHead(
      [":status": "200", "content-type": "application/grpc", "grpc-status": "0"],
      endsStream: true)
  }
}
