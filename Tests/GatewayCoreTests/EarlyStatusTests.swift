import Logging
import RPC
import RPCInProcess
import Testing

@testable import GatewayCore

/// A service may end a call while its caller still sends the request.
@Suite("An early status", .bothWays)
struct EarlyStatusTests {
  private static let status: HeaderList = ["grpc-status": "9", "grpc-message": "enough"]
  private static let bulk = "/yijia.members.v1.MembersService/EnrollMembers"

  /// A service that ends each call as soon as some of the request has arrived.
  private struct HastyBackend: ExchangeHandler {
    /// Whether it sends a message before its status.
    let answers: Bool

    func claims(_ head: RequestHead) -> Bool { true }

    func serve(_ exchange: ServerExchange) async {
      _ = try? await exchange.nextChunk()
      var head: HeaderList = [":status": "200", "content-type": "application/grpc"]
      guard answers else {
        head.add(contentsOf: EarlyStatusTests.status)
        return await exchange.sendHead(head, endsStream: true)
      }
      await exchange.sendHead(head)
      try? await exchange.send([0, 0, 0, 0, 0])
      await exchange.finish(trailers: EarlyStatusTests.status)
    }
  }

  /// Makes calls over sockets that send `body`, but do not end their request.
  private static func expectStatus(of paths: [String], _ body: [UInt8]) async throws {
    for answers in [false, true] {
      let net = Loopback()
      let (_, address) = try await net.serve(handlers: [HastyBackend(answers: answers)])
      let channel = try await net.gateway(to: [address])
      for path in paths {
        let call = try await channel.openExchange(
          RequestHead(path: path, metadata: TestCaller.partner.metadata))
        // The call may have ended before all of it was sent.
        try? await call.send(body)
        let error = try await call.outcome()
        #expect(error?.code == .failedPrecondition, "\(path)")
        #expect(error?.message == "enough", "\(path)")
      }
    }
  }

  @Test("reaches the caller of a client stream and of a bidirectional one")
  func streams() async throws {
    try await Self.expectStatus(
      of: [
        "/grpc.testing.TestService/StreamingInputCall", "/grpc.testing.TestService/FullDuplexCall",
        Self.bulk,
      ], [0, 0, 0, 0, 0])
  }

  @Test("reaches the caller of a unary method whose message is incomplete")
  func unary() async throws {
    // A longer part than the gateway keeps, so that it is forwarded before the rest arrives.
    try await Self.expectStatus(
      of: ["/yijia.members.v1.MembersService/SubmitEnrollment"],
      [0, 0, 0x10, 0, 0] + [UInt8](repeating: 0, count: 2 * ForwardedRequest.keptBytesMax))
  }

  private static func backend(answers: Bool) throws -> InProcessChannel {
    InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [HastyBackend(answers: answers)]))
  }

  /// Makes a call at one of the other faces that sends `body`, but does not end its request.
  private static func answer(
    of face: any ExchangeHandler, _ contentType: String, _ body: [UInt8]
  ) async throws -> (status: String?, text: String) {
    let edge = InProcessChannel(Dispatcher(router: try Router(services: []), handlers: [face]))
    let exchange = try await edge.openExchange(
      RequestHead(
        fields: [
          ":method": "POST", ":path": bulk, "content-type": contentType,
          "x-api-key": TestGateway.partnerKey,
        ]))
    try await exchange.send(body)
    let head = try await exchange.head()
    var bytes: [UInt8] = []
    while let chunk = try await exchange.nextChunk() { bytes += chunk }
    return (head[":status"], String(decoding: bytes, as: UTF8.self))
  }

  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  @Test("reaches a JSON caller whose lines go on", arguments: [false, true])
  func json(answers: Bool) async throws {
    let face = try JSONFace(
      of: TestGateway(Self.backend(answers: answers)).gateway, contracts: JSONContracts(),
      origins: BrowserOrigins(), messageBytesMax: 100, logger: Self.quiet)
    let answer = try await Self.answer(
      of: face, "application/x-ndjson", Array("{\"row\":1}\n".utf8))
    #expect(answer.status == (answers ? "200" : "400"))
    let status = #"{"code":9,"message":"enough"}"#
    #expect(answer.text == (answers ? "{\"result\":{}}\n{\"error\":\(status)}\n" : status))
  }

  @Test("reaches a gRPC-Web caller whose messages go on", arguments: [false, true])
  func web(answers: Bool) async throws {
    let face = try WebFace(
      of: TestGateway(Self.backend(answers: answers)).gateway, origins: BrowserOrigins(),
      logger: Self.quiet)
    let answer = try await Self.answer(of: face, "application/grpc-web", [0, 0, 0, 0, 0])
    #expect(answer.status == "200")
    #expect(answer.text.contains("grpc-status: 9"))
  }

  @Test("is not replaced by the failure of an upload that it has ended")
  func upload() async throws {
    let service = try await Self.backend(answers: false)
      .openExchange(RequestHead(path: TestGateway.echoPath))
    try await service.send([0, 0, 0, 0, 0])
    let status = try #require(try await service.outcome())
    let tried = Counter()
    let upload = InnerUpload(to: service, telling: FaceFailure()) {
      tried.add()
      throw RPCError(.cancelled, "the call has ended")
    }
    let error = await #expect(throws: RPCError.self) {
      // On one loop, so that the upload has failed before the response is read.
      try await withTaskExecutorPreference(service.exchange.loop) {
        try await upload.run {
          await tried.reaches(1)
          throw status
        }
      }
    }
    #expect(error?.code == .failedPrecondition)
  }
}
