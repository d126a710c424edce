import BenchV1
import RPC

/// Responds with the request's member, decoded and encoded again, and a payload of zeros.
struct BenchService: BenchProtocol {
  private static let payloadBytesMax = 4 << 20

  private func answer(_ request: Request) throws -> Response {
    guard request.responseSize <= Self.payloadBytesMax else {
      throw RPCError(.invalidArgument, "a payload of \(request.responseSize) bytes is not made")
    }
    var response = Response()
    if request.responseSize > 0 {
      response.payload = [UInt8](repeating: 0, count: Int(request.responseSize))
    }
    response.member = request.member
    return response
  }

  nonisolated(nonsending) func unary(_ request: Request, context: ServerContext) async throws
    -> Response
  {
    try answer(request)
  }

  nonisolated(nonsending) func serverStream(
    _ request: Request, responses: ResponseWriter<Response>, context: ServerContext
  ) async throws {
    let response = try answer(request)
    for _ in 0..<max(0, request.responseCount) { try await responses.send(response) }
  }

  nonisolated(nonsending) func clientStream(
    _ requests: RequestStream<Request>, context: ServerContext
  ) async throws -> Response {
    var last = Response()
    for try await request in requests { last = try answer(request) }
    return last
  }

  nonisolated(nonsending) func bidi(
    _ requests: RequestStream<Request>, responses: ResponseWriter<Response>,
    context: ServerContext
  ) async throws {
    for try await request in requests { try await responses.send(try answer(request)) }
  }
}
