import GRPCHealthV1
import GRPCTesting
import RPC
import ServiceKit
import TestWaiting
import Testing

@testable import GatewayCore
@testable import RPCTransport

@Suite("Over sockets", .bothWays)
struct LoopbackTests {
  private static let options = TestCaller.partner.options

  @Test("calls are distributed over the live backends and skip a dead one")
  func roundRobin() async throws {
    let net = Loopback()
    let probes = [EchoProbe(), EchoProbe()]
    var targets = [try await net.deadAddress()]
    for probe in probes {
      targets.append(try await net.serve(services: [EchoService(probe)]).address)
    }
    let client = TestServiceClient(try await net.gateway(to: targets))
    // The second connection may be established a little after the first.
    while probes.contains(where: { $0.calls.value == 0 }) {
      _ = try await client.unaryCall(SimpleRequest(), options: Self.options)
    }
    let before = probes.map(\.calls.value)
    for _ in 0..<100 {
      _ = try await client.unaryCall(SimpleRequest(), options: Self.options)
    }
    let shares = zip(probes, before).map { $0.calls.value - $1 }
    #expect(shares.reduce(0, +) == 100)
    #expect(shares.allSatisfy { (40...60).contains($0) }, "\(shares)")
  }

  @Test("a caller with an unfinished request gets an error; a stream may pause")
  func unfinished() async throws {
    let net = Loopback()
    // The service finds out: to the gateway the method is opaque, and might be a stream.
    let (server, target) = try await net.serve(services: [EchoService(EchoProbe())])
    let channel = try await net.gateway(to: [target])
    let resting = try await TestServiceClient(channel).fullDuplexCall(options: Self.options)
    // Nothing, a part of what is buffered, and a part that is forwarded already.
    let outcomes = Shared<[RPCError?]>([])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for bytes in [0, 100, 2 * ForwardedRequest.keptBytesMax] {
        group.addTask {
          let call = try await channel.openExchange(
            RequestHead(
              path: "/grpc.testing.TestService/UnaryCall", metadata: TestCaller.partner.metadata))
          let body = [0, 0, 0x10, 0, 0] + [UInt8](repeating: 0, count: bytes)
          // The call may have ended already.
          if bytes > 0 { try? await call.send(body) }
          let outcome = try await call.outcome()
          outcomes.update { $0.append(outcome) }
        }
      }
      try await eventually {
        _ = await server.ask(Connection.self) { connection in
          for exchange in connection.exchanges { exchange?.sweep() }
        }
        return outcomes.value.count == 3
      }
      try await group.waitForAll()
    }
    #expect(outcomes.value.map { $0?.code } == Array(repeating: .deadlineExceeded, count: 3))
    var request = StreamingOutputCallRequest()
    request.responseParameters = [ResponseParameters()]
    try await resting.send(request)
    var responses = resting.responses.makeAsyncIterator()
    #expect(try await responses.next() != nil)
    resting.cancel()
  }

  @Test("a call is not said to be undone because its last attempt has found nobody")
  func lastAttempt() async throws {
    let net = Loopback()
    let server = Shared<Server?>(nil)
    let dying = DyingService { await server.value?.shutdown(grace: .zero) }
    let (started, target) = try await net.serve(services: [dying])
    server.value = started
    let client = TestServiceClient(
      try await net.gateway(to: [target], idempotentMethods: ["UnaryCall"]))
    let error = await #expect(throws: RPCError.self) {
      _ = try await client.unaryCall(SimpleRequest(), options: Self.options)
    }
    #expect(error?.gatewayReason == "BACKEND_LOST")
  }

  @Test("a backend that reports NOT_SERVING gets no calls")
  func health() async throws {
    let net = Loopback()
    let registries = [HealthRegistry(), HealthRegistry()]
    let probes = [EchoProbe(), EchoProbe()]
    var targets: [HostPort] = []
    for (registry, probe) in zip(registries, probes) {
      registry.set("", .serving)
      targets.append(
        try await net.serve(services: [EchoService(probe), HealthService(registry: registry)])
          .address)
    }
    let client = TestServiceClient(try await net.gateway(to: targets, health: ""))
    while probes.contains(where: { $0.calls.value == 0 }) {
      _ = try await client.unaryCall(SimpleRequest(), options: Self.options)
    }
    registries[0].set("", .notServing)
    // The report is in transit: eventually a run of calls skips the first backend.
    while true {
      let before = probes[0].calls.value
      for _ in 0..<10 { _ = try await client.unaryCall(SimpleRequest(), options: Self.options) }
      if probes[0].calls.value == before { break }
    }
  }

  @Test("a backend that dies is UNAVAILABLE for its calls, and another takes over")
  func killed() async throws {
    let net = Loopback()
    let probes = [EchoProbe(), EchoProbe()]
    var servers: [Server] = []
    var targets: [HostPort] = []
    for probe in probes {
      let (server, address) = try await net.serve(services: [EchoService(probe)])
      servers.append(server)
      targets.append(address)
    }
    let client = TestServiceClient(try await net.gateway(to: targets))
    while probes.contains(where: { $0.calls.value == 0 }) {
      _ = try await client.unaryCall(SimpleRequest(), options: Self.options)
    }
    var calls: [BidirectionalCall<StreamingOutputCallRequest, StreamingOutputCallResponse>] = []
    for _ in 0..<6 {
      let call = try await client.fullDuplexCall(options: Self.options)
      try await call.send(StreamingOutputCallRequest())
      var responses = call.responses.makeAsyncIterator()
      _ = try await responses.next()
      calls.append(call)
    }
    await servers[0].shutdown(grace: .zero)
    var lost = 0
    for call in calls {
      var responses = call.responses.makeAsyncIterator()
      do {
        try await call.send(StreamingOutputCallRequest())
        _ = try await responses.next()
      } catch let error as RPCError {
        #expect(error.code == .unavailable)
        #expect(error.gatewayReason == "BACKEND_LOST")
        lost += 1
      }
    }
    #expect(lost == 3)
    for _ in 0..<20 { _ = try await client.unaryCall(SimpleRequest(), options: Self.options) }
  }

  @Test("without a backend calls fail at once, and succeed when one is back")
  func backendDown() async throws {
    let net = Loopback()
    let address = try await net.deadAddress()
    let client = TestServiceClient(try await net.gateway(to: [address]))
    let error = await #expect(throws: RPCError.self) {
      try await client.unaryCall(SimpleRequest(), options: Self.options)
    }
    #expect(error?.code == .unavailable)
    #expect(error?.gatewayReason == "BACKEND_UNAVAILABLE")
    #expect(error?.retrySeconds == 1)
    _ = try await net.serve(services: [EchoService()], at: address)
    try await eventually {
      (try? await client.unaryCall(SimpleRequest(), options: Self.options)) != nil
    }
  }

  @Test("a call that was certainly not processed is sent at most three times")
  func unprocessed() async throws {
    for (refusals, expected) in [(2, nil), (3, "BACKEND_UNAVAILABLE")] {
      let net = Loopback()
      let backend = ResettingBackend(code: .refusedStream, refusals: refusals)
      let (_, address) = try await net.serve(handlers: [backend])
      let channel = try await net.gateway(to: [address])
      var options = ExchangeOptions()
      options.deadline = .after(.seconds(30))
      // Head and end are sent together, so that the complete request is at hand.
      let exchange = try await channel.openExchange(
        RequestHead(path: TestGateway.echoPath, metadata: TestCaller.partner.metadata),
        options: options
      ) { exchange in
        exchange.exchange.sendEnd(.none)
        return exchange
      }
      #expect(try await exchange.outcome()?.gatewayReason == expected)
      #expect(backend.seen.value == 3)
    }
  }

  @Test("a stream that a draining replica has not taken goes on at the next one, with its messages")
  func drained() async throws {
    // One loop, so that there is one connection.
    let net = Loopback(loops: EventLoops(threads: 1))
    let (old, address) = try await net.serve(services: [EchoService()], streamsMax: 1)
    let backend = try net.connect([address], perLoop: TestGateway.isDirect)
    let (_, edge) = try await net.serve(handlers: [try TestGateway(backend).gateway])
    let client = TestServiceClient(try net.connect([edge]))
    let first = try await client.fullDuplexCall(options: Self.options)
    try await first.send(StreamingOutputCallRequest())
    var answers = first.responses.makeAsyncIterator()
    #expect(try await answers.next() != nil)
    // Its head waits in the gateway until the first stream ends.
    let second = try await client.fullDuplexCall(options: Self.options)
    var request = StreamingOutputCallRequest()
    request.payload = Payload()
    request.payload?.body = [1, 2, 3]
    try await second.send(request)
    try await eventually { backend.standings[0].calls == 2 }

    async let stopped: Void = old.shutdown(grace: .seconds(30))
    try await eventually { !backend.standings[0].isReady }
    let probe = EchoProbe()
    _ = try await net.serve(services: [EchoService(probe)], at: address)
    try await eventually { backend.standings[0].isReady }
    #expect(probe.calls.value == 0)
    try await first.finishSending()
    #expect(try await answers.next() == nil)
    await stopped

    var responses = second.responses.makeAsyncIterator()
    #expect(try await responses.next()?.payload == request.payload)
    try await second.send(request)
    #expect(try await responses.next()?.payload == request.payload)
    try await second.finishSending()
    #expect(try await responses.next() == nil)
    #expect(probe.calls.value == 1)
  }

  @Test("64 MiB are streamed both ways without loss")
  func bulk() async throws {
    let net = Loopback()
    let (_, address) = try await net.serve(services: [EchoService()])
    let client = TestServiceClient(try await net.gateway(to: [address]))
    let call = try await client.fullDuplexCall(options: Self.options)
    var request = StreamingOutputCallRequest()
    var payload = Payload()
    payload.body = [UInt8](repeating: 3, count: 1 << 20)
    request.payload = payload
    let message = request
    async let sending: Void = {
      for _ in 0..<64 { try await call.send(message) }
      try await call.finishSending()
    }()
    var bytes = 0
    for try await response in call.responses { bytes += response.payload?.body.count ?? 0 }
    try await sending
    #expect(bytes == 64 << 20)
  }

  @Test("repeated heads are forwarded with each call's own timeout and a token")
  func sameHeads() async throws {
    let net = Loopback()
    let probe = EchoProbe()
    let (_, address) = try await net.serve(services: [EchoService(probe)])
    let client = TestServiceClient(try await net.gateway(to: [address]))
    var options = Self.options
    for seconds in [nil, 20, 30, nil, 40, 25, 99, 5] as [Int?] {
      options.timeout = seconds.map { .seconds($0) }
      _ = try await client.unaryCall(SimpleRequest(), options: options)
      #expect(probe.metadata.value[text: "x-api-key"] == nil)
      #expect(probe.metadata.value[binary: "yijia-caller-bin"] != nil)
      guard let seconds else {
        #expect(probe.timeout.value == nil)
        continue
      }
      let left = try #require(probe.timeout.value)
      #expect(left < .seconds(seconds) && left > .seconds(seconds - 4))
    }
  }

  @Test("a header list over the limit is refused in JSON; gRPC gets the HTTP status alone")
  func longHeaders() async throws {
    let net = Loopback()
    let (_, address) = try await net.serve(services: [EchoService()])
    let channel = try await net.gateway(to: [address])
    for (verb, type, isJSON) in [
      ("GET", nil, true), ("HEAD", nil, false), ("POST", "application/grpc", false),
    ] as [(String, String?, Bool)] {
      var fields: HeaderList = [":method": verb, ":path": TestGateway.echoPath]
      if let type { fields.add("content-type", type) }
      for number in 0..<200 { fields.add("x-\(number)", "y") }
      let call = try await channel.openExchange(RequestHead(fields: fields))
      await call.finish()
      let head = try await call.head()
      #expect(head[":status"] == "431")
      #expect((head["content-type"] == "application/json") == isJSON, "\(verb)")
      var body: [UInt8] = []
      while let chunk = try await call.nextChunk() { body += chunk }
      let text = String(decoding: body, as: UTF8.self)
      #expect(isJSON ? text.hasPrefix(#"{"code":8,"message":"#) : text.isEmpty, "\(verb)")
      #expect(!isJSON || head["content-length"] == String(body.count))
    }
    _ = try await TestServiceClient(channel).unaryCall(SimpleRequest(), options: Self.options)
  }

  @Test("a revoked key is refused although its head is cached")
  func endedKey() async throws {
    let net = Loopback()
    let (_, address) = try await net.serve(services: [EchoService()])
    let kiosks = KioskDirectory()
    kiosks.apply(TestGateway.change(key: TestGateway.kioskKey), version: 1)
    kiosks.setStanding(.current)
    let client = TestServiceClient(try await net.gateway(to: [address], kiosks: kiosks))
    for _ in 0..<5 {
      _ = try await client.unaryCall(SimpleRequest(), options: TestCaller.kiosk.options)
    }
    kiosks.apply(TestGateway.change(key: TestGateway.kioskKey, revoked: true), version: 2)
    let error = await #expect(throws: RPCError.self) {
      try await client.unaryCall(SimpleRequest(), options: TestCaller.kiosk.options)
    }
    #expect(error?.code == .unauthenticated)
  }

  @Test("many concurrent calls get their own responses")
  func concurrent() async throws {
    let net = Loopback()
    let (_, address) = try await net.serve(services: [EchoService()])
    let client = TestServiceClient(try await net.gateway(to: [address]))
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for number in 0..<500 {
        group.addTask {
          var request = SimpleRequest()
          var payload = Payload()
          payload.body = [UInt8](repeating: UInt8(number & 255), count: number)
          request.payload = payload
          let response = try await client.unaryCall(request, options: Self.options)
          return response.payload == request.payload
        }
      }
      for try await isSame in group { #expect(isSame) }
    }
  }

  @Test("a caller that resets its calls at once leaves none running at the service")
  func rapidReset() async throws {
    let net = Loopback()
    let probe = EchoProbe()
    let (_, address) = try await net.serve(services: [EchoService(probe)])
    let channel = try await net.gateway(to: [address])
    var metadata = TestCaller.partner.metadata
    metadata.add("x-hang", "yes")
    for _ in 0..<300 {
      let exchange = try await channel.openExchange(
        RequestHead(path: TestGateway.echoPath, metadata: metadata))
      try? await exchange.send([0, 0, 0, 0, 0])
      await exchange.finish()
      await exchange.reset(.cancel)
    }
    // All started handlers are cancelled; a later call is served.
    await probe.cancelled.reaches(probe.calls.value)
    _ = try await TestServiceClient(channel).unaryCall(SimpleRequest(), options: Self.options)
  }
}

/// Stops its server at its first call, without an answer.
private struct DyingService: TestServiceProtocol {
  let stop: @Sendable () async -> Void

  func unaryCall(
    _ request: SimpleRequest, context: ServerContext
  ) async throws -> SimpleResponse {
    let stop = stop
    Task { await stop() }
    await untilCancelled()
    throw CancellationError()
  }
}
