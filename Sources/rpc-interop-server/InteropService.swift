import Dispatch
import GRPCTesting
import RPC

/// The standard interoperability test service.
/// Source: <https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md>.
struct InteropService: TestServiceProtocol {
  /// The largest payload generated on request, in bytes.
  private static let payloadBytesMax = 64 << 20

  func emptyCall(_ request: Empty, context: ServerContext) async throws -> Empty {
    echoMetadata(context)
    return Empty()
  }

  func unaryCall(
    _ request: SimpleRequest, context: ServerContext
  ) async throws -> SimpleResponse {
    echoMetadata(context)
    try check(request.expectCompressed, context.requestWasCompressed)
    try check(request.responseStatus)
    if request.responseCompressed?.value == true { context.responseCompression = .gzip }
    var response = SimpleResponse()
    if request.responseSize > 0 {
      response.payload = try payload(request.responseType, request.responseSize)
    }
    return response
  }

  func cacheableUnaryCall(
    _ request: SimpleRequest, context: ServerContext
  ) async throws -> SimpleResponse {
    context.responseHeaders.add("cache-control", "max-age=60, public")
    // A different payload for each call, so that a cache in between shows.
    var payload = Payload()
    payload.body = Array("\(DispatchTime.now().uptimeNanoseconds)".utf8)
    var response = SimpleResponse()
    response.payload = payload
    return response
  }

  func streamingOutputCall(
    _ request: StreamingOutputCallRequest,
    responses: ResponseWriter<StreamingOutputCallResponse>, context: ServerContext
  ) async throws {
    echoMetadata(context)
    try check(request.responseStatus)
    if request.responseParameters.contains(where: { $0.compressed?.value == true }) {
      context.responseCompression = .gzip
    }
    try await answer(request, responses)
  }

  func streamingInputCall(
    _ requests: RequestStream<StreamingInputCallRequest>, context: ServerContext
  ) async throws -> StreamingInputCallResponse {
    echoMetadata(context)
    var total = 0
    for try await request in requests {
      try check(request.expectCompressed, await requests.lastWasCompressed)
      total += request.payload?.body.count ?? 0
    }
    var response = StreamingInputCallResponse()
    response.aggregatedPayloadSize = Int32(clamping: total)
    return response
  }

  func fullDuplexCall(
    _ requests: RequestStream<StreamingOutputCallRequest>,
    responses: ResponseWriter<StreamingOutputCallResponse>, context: ServerContext
  ) async throws {
    echoMetadata(context)
    // Compression is announced in the head, before later requests can ask for it.
    context.responseCompression = .gzip
    for try await request in requests {
      try check(request.responseStatus)
      try await answer(request, responses)
    }
  }

  func halfDuplexCall(
    _ requests: RequestStream<StreamingOutputCallRequest>,
    responses: ResponseWriter<StreamingOutputCallResponse>, context: ServerContext
  ) async throws {
    echoMetadata(context)
    var all: [StreamingOutputCallRequest] = []
    for try await request in requests {
      guard all.count < 10_000 else { throw RPCError(.resourceExhausted, "too many requests") }
      all.append(request)
    }
    for request in all {
      try check(request.responseStatus)
      try await answer(request, responses)
    }
  }

  // MARK: - Responses

  private func answer(
    _ request: StreamingOutputCallRequest, _ responses: ResponseWriter<StreamingOutputCallResponse>
  ) async throws {
    for parameters in request.responseParameters {
      if parameters.intervalUs > 0 {
        // The client asked for this pause between responses.
        try await Task.sleep(for: .microseconds(Int64(parameters.intervalUs)))
      }
      var response = StreamingOutputCallResponse()
      response.payload = try payload(request.responseType, parameters.size)
      try await responses.send(response, compressed: parameters.compressed?.value ?? false)
    }
  }

  private func payload(_ type: PayloadType, _ size: Int32) throws -> Payload {
    guard type == .compressable, size >= 0, size <= Self.payloadBytesMax else {
      throw RPCError(.invalidArgument, "a payload of \(size) bytes, kind \(type), is not made")
    }
    var payload = Payload()
    payload.type = type
    payload.body = [UInt8](repeating: 0, count: Int(size))
    return payload
  }

  /// Refuses a request whose compression differs from what it claims.
  private func check(_ expected: BoolValue?, _ wasCompressed: Bool) throws {
    guard let expected, expected.value != wasCompressed else { return }
    throw RPCError(.invalidArgument, "the request was \(wasCompressed ? "" : "not ")compressed")
  }

  private func check(_ status: EchoStatus?) throws {
    guard let status, status.code != 0 else { return }
    throw RPCError(RPCError.Code(rawValue: Int(status.code)) ?? .unknown, status.message)
  }

  private func echoMetadata(_ context: ServerContext) {
    let metadata = context.metadata
    for case .text(let text) in metadata.values("x-grpc-test-echo-initial") {
      context.responseHeaders.add("x-grpc-test-echo-initial", text)
    }
    for case .binary(let bytes) in metadata.values("x-grpc-test-echo-trailing-bin") {
      context.responseTrailers.add("x-grpc-test-echo-trailing-bin", bytes)
    }
  }
}
