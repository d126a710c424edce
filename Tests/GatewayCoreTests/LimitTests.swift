import Foundation
import GRPCTesting
import Logging
import RPC
import RPCInProcess
import ServiceKit
import TestWaiting
import Testing
import YijiaTypeV1

@testable import GatewayCore

@Suite("Limits")
struct LimitTests {
  private static let second: Int64 = 1_000_000_000

  // MARK: - The bucket

  @Test("a full bucket gives its burst, then one token per interval")
  func bucket() {
    let bucket = RateBucket(callsPerSecond: 4, burst: 3)
    var fullAt: Int64 = 0
    var now = 10 * Self.second
    for left in [2, 1, 0] {
      guard case .token(let next, left) = bucket.take(fullAt: fullAt, now: now) else {
        return #expect(Bool(false), "a token with \(left) behind it")
      }
      fullAt = next
    }
    #expect(bucket.take(fullAt: fullAt, now: now) == .none(wait: Self.second / 4))
    now += Self.second / 4 - 1
    #expect(bucket.take(fullAt: fullAt, now: now) == .none(wait: 1))
    now += 1
    #expect(
      bucket.take(fullAt: fullAt, now: now) == .token(fullAt: fullAt + Self.second / 4, left: 0))
  }

  @Test("a higher rate applies at once, whatever was taken at the lower one")
  func raised() {
    let slow = RateBucket(callsPerSecond: 0.01, burst: 100)
    var fullAt: Int64 = 0
    while case .token(let next, _) = slow.take(fullAt: fullAt, now: 0) { fullAt = next }
    let fast = RateBucket(callsPerSecond: 10, burst: 20)
    #expect(fast.take(fullAt: fullAt, now: 0) == .token(fullAt: fast.depth, left: 0))
    #expect(fast.take(fullAt: fast.depth, now: 0) == .none(wait: Self.second / 10))
  }

  @Test("in no interval are there more calls than the burst plus the refill")
  func bound() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<50 {
      let rate = Double.random(in: 0.5...5_000, using: &random)
      let burst = Int.random(in: 1...200, using: &random)
      let bucket = RateBucket(callsPerSecond: rate, burst: burst)
      var fullAt: Int64 = 0
      var now: Int64 = 0
      var times: [Int64] = []
      for _ in 0..<2_000 {
        now += Int64.random(in: 0...Int64(2 * Double(Self.second) / rate), using: &random)
        if case .token(let next, _) = bucket.take(fullAt: fullAt, now: now) {
          fullAt = next
          times.append(now)
        }
      }
      for (index, time) in times.enumerated() where index >= burst {
        let passed = time - times[index - burst]
        #expect(passed >= bucket.interval, "\(burst + 1) calls in \(passed) ns")
      }
    }
  }

  // MARK: - The meter

  @Test("a call that is admitted, undone and admitted again takes one token")
  func undone() {
    var limits = MethodLimits()
    limits.rate = RateBucket(callsPerSecond: 1, burst: 3)
    let meter = CallMeter(limits)
    for left in 0..<3 {
      #expect(meter.lets(now: 10 * Self.second), "\(left) were let in")
      meter.undo()
      #expect(meter.running == left)
      #expect(meter.lets(now: 10 * Self.second))
    }
    #expect(!meter.lets(now: 10 * Self.second))
  }

  @Test("concurrent calls of many threads get exactly the burst, and leave no count behind")
  func concurrentRate() async {
    var limits = MethodLimits()
    limits.rate = RateBucket(callsPerSecond: 1, burst: 500)
    let meter = CallMeter(limits)
    let taken = Counter()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<200 {
            guard meter.lets(now: 0) else { continue }
            taken.add()
            meter.end()
          }
        }
      }
    }
    #expect(taken.value == 500)
    #expect(meter.running == 0)
  }

  @Test("of concurrent calls of many threads exactly the maximum run")
  func concurrentStreams() async {
    var limits = MethodLimits()
    limits.streamsMax = 7
    let meter = CallMeter(limits)
    let taken = Counter()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<50 where meter.lets(now: 0) { taken.add() }
        }
      }
    }
    #expect(taken.value == 7)
    #expect(meter.running == 7)
    meter.end()
    #expect(throws: Never.self) { try meter.begin(now: 0) }
  }

  @Test("each field is taken from the first of: own for the method, own, default for it, default")
  func precedence() {
    let own = [
      LimitSetting(methods: ["/a"], streamsMax: 1), LimitSetting(callsPerSecond: 5, burst: 9),
    ]
    let defaults = [
      LimitSetting(methods: ["/a"], messageBytesMax: 77),
      LimitSetting(callsPerSecond: 50, streamsMax: 100, messageBytesMax: 88),
    ]
    let a = MethodLimits(of: "/a", own: own, defaults: defaults)
    #expect(a.streamsMax == 1)
    #expect(a.rate == RateBucket(callsPerSecond: 5, burst: 9))
    #expect(a.messageBytesMax == 77)
    let b = MethodLimits(of: "/b", own: own, defaults: defaults)
    #expect(b.streamsMax == 100)
    #expect(b.rate == RateBucket(callsPerSecond: 5, burst: 9))
    #expect(b.messageBytesMax == 88)
    #expect(
      MethodLimits(of: "/b", own: [], defaults: defaults).rate
        == RateBucket(callsPerSecond: 50, burst: 100))
    let lifted = MethodLimits(
      of: "/a", own: [LimitSetting(callsPerSecond: 0, streamsMax: 0, messageBytesMax: 0)],
      defaults: defaults)
    #expect(lifted == .none)
  }

  @Test("counts survive a reload and a change of the partner's own limits")
  func counts() throws {
    let counts = LimitCounts()
    let partner = Caller(kind: .partner, subject: "partners/a")
    let backend = Backend(name: "x", channel: try InProcessChannel(services: []), audience: nil)
    let route = Route(backend: backend, policyPath: "/y", isUnary: true, limitIndex: 1)
    func book() -> LimitBook { LimitBook([], paths: ["/x", "/y"], counts: counts) }
    let first = book()
    func lets(_ book: LimitBook, _ streams: Int) -> Bool {
      book.meter(partner, own: [LimitSetting(streamsMax: streams)], route)?.lets(now: 0) == true
    }
    #expect(lets(first, 1))
    #expect(!lets(first, 1))
    #expect(lets(first, 2), "its own limits have changed")
    #expect(!lets(book(), 2), "another configuration, the same calls run")
    #expect(lets(book(), 3))
    let kiosk = Caller(kind: .kiosk, subject: "kiosks/a")
    #expect(first.meter(kiosk, own: [], route) == nil)
  }

  // MARK: - Through the gateway

  private static func edge(
    _ limits: [LimitSetting], clock: Shared<Int64> = Shared(0),
    backend: AnyBackend = AnyBackend()
  ) throws -> InProcessChannel {
    let inner = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [backend]))
    return try TestGateway(inner, limits: limits, limitClock: LimitClock { clock.value }).edge()
  }

  private static let region = "/yijia.members.v1.MembersService/GetRegion"
  private static let nearby = "/yijia.stations.v1.StationsService/FindNearbyPoints"

  @Test("beyond its rate a partner is refused with the time to wait; others are not")
  func rate() async throws {
    let clock = Shared<Int64>(0)
    let backend = AnyBackend()
    let edge = try Self.edge(
      [LimitSetting(callsPerSecond: 0.1, burst: 2)], clock: clock, backend: backend)
    let partner = TestCaller.partner.metadata
    for _ in 0..<2 { #expect(try await edge.outcome(Self.region, partner) == nil) }
    let error = try #require(try await edge.outcome(Self.region, partner))
    #expect(error.code == .resourceExhausted)
    #expect(error.gatewayReason == "RATE_EXCEEDED")
    #expect(error.retrySeconds == 10)
    #expect(error.metadata[text: "ratelimit-policy"] == #""rate";q=2;w=20"#)
    #expect(error.metadata[text: "ratelimit"] == #""rate";r=0;t=10"#)
    #expect(backend.opened.value == 2, "a refused call reaches no service")
    #expect(try await edge.outcome(Self.nearby, partner) == nil, "another method")
    #expect(try await edge.outcome(Self.nearby, TestCaller.kiosk.metadata) == nil, "no partner")
    clock.value = 10 * Self.second
    #expect(try await edge.outcome(Self.region, partner) == nil)
    #expect(try await edge.outcome(Self.region, partner) != nil)
  }

  @Test("a response has rate limit fields once little is left, and not before")
  func notice() async throws {
    for (burst, expected) in [
      (8, [nil, nil, nil, nil, nil, nil, #""rate";r=1;t=7"#, #""rate";r=0;t=8"#]),
      (2, [nil, #""rate";r=0;t=2"#]),
    ] as [(Int, [String?])] {
      let edge = try Self.edge([LimitSetting(callsPerSecond: 1, burst: burst)])
      var told: [String?] = []
      for _ in 0..<burst {
        let exchange = try await edge.openExchange(
          RequestHead(path: Self.region, metadata: TestCaller.partner.metadata))
        await exchange.finish()
        told.append(try await exchange.head()["ratelimit"])
      }
      #expect(told == expected)
    }
  }

  @Test("beyond its concurrency a partner is refused until a call has ended")
  func streams() async throws {
    let probe = EchoProbe()
    let backend = try InProcessChannel(services: [EchoService(probe)])
    let edge = try TestGateway(backend, limits: [LimitSetting(streamsMax: 1)]).edge()
    let partner = TestCaller.partner.metadata
    var hanging = partner
    hanging.add("x-hang", "1")
    let first = try await edge.openExchange(
      RequestHead(path: TestGateway.echoPath, metadata: hanging))
    try await first.send([0, 0, 0, 0, 0])
    await first.finish()
    await probe.calls.reaches(1)
    let error = try #require(try await edge.outcome(TestGateway.echoPath, partner))
    #expect(error.gatewayReason == "STREAMS_EXCEEDED")
    #expect(error.facts["streams_max"] == "1")
    #expect(error.retrySeconds == 1)
    #expect(
      error.metadata[text: "ratelimit-policy"] == #""streams";q=1;qu="concurrent-requests""#)
    await first.reset(.cancel)
    await probe.cancelled.reaches(1)
    // The gateway's side of the first call ends shortly after the service's.
    try await eventually { try await edge.outcome(TestGateway.echoPath, partner) == nil }
    #expect(probe.calls.value == 2)
  }

  @Test("a partner's message limit may be lower than the gateway's")
  func messageBytes() async throws {
    let limits = [
      LimitSetting(methods: ["/grpc.testing.TestService"], messageBytesMax: 100),
      LimitSetting(messageBytesMax: 0),
    ]
    let backend = try InProcessChannel(services: [EchoService()])
    let client = TestServiceClient(try TestGateway(backend, limits: limits).edge())
    var request = SimpleRequest()
    var payload = Payload()
    payload.body = [UInt8](repeating: 1, count: 101)
    request.payload = payload
    _ = try await client.unaryCall(request, options: TestCaller.viewer.options)
    let error = await #expect(throws: RPCError.self) {
      try await client.unaryCall(request, options: TestCaller.partner.options)
    }
    #expect(error?.gatewayReason == "MESSAGE_TOO_LARGE")
    #expect(error?.facts["bytes_max"] == "100")
  }

  @Test("JSON callers get 429 with retry-after and the fields, and 413 for a long message")
  func json() async throws {
    let backend = try InProcessChannel(services: [FakeRegistry()])
    let limits = [LimitSetting(callsPerSecond: 0.5, burst: 1, messageBytesMax: 100)]
    let gateway = try TestGateway(backend, limits: limits, limitClock: LimitClock { 0 }).gateway
    let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let edge = InProcessChannel(
      Dispatcher(
        router: try Router(services: []),
        handlers: [
          gateway,
          try JSONFace(
            of: gateway, contracts: JSONContracts(), origins: BrowserOrigins(),
            messageBytesMax: 10_000, logger: quiet),
        ]))
    func ask(_ verb: String, _ path: String, _ body: String = "") async throws -> HeaderList {
      var head: HeaderList = [":method": verb, ":path": path]
      head.add(contentsOf: TestCaller.partner.metadata.list)
      let exchange = try await edge.openExchange(RequestHead(fields: head))
      try? await exchange.send(Array(body.utf8))
      await exchange.finish()
      let answer = try await exchange.head()
      while try await exchange.nextChunk() != nil {}
      return answer
    }
    let name = String(repeating: "a", count: 200)
    let post = "{\"application\":{\"personName\":\"\(name)\"}}"
    #expect(try await ask("POST", "/v1/enrollments", post)[":status"] == "413")
    let refused = try await ask("POST", "/v1/enrollments", "{}")
    #expect(refused[":status"] == "429")
    #expect(refused["retry-after"] == "2")
    #expect(refused["ratelimit-policy"] == #""rate";q=1;w=2"#)
    #expect(refused["ratelimit"] == #""rate";r=0;t=2"#)
  }
}

extension CallMeter {
  /// Whether a call is admitted.
  fileprivate func lets(now: Int64) -> Bool {
    do {
      _ = try begin(now: now)
      return true
    } catch {
      return false
    }
  }
}
