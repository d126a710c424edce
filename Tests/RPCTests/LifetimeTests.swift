import HTTP2
import RPC
import Synchronization
import TestWaiting
import Testing

@testable import RPCTransport

@Suite("How long a server keeps a connection", .timeLimit(.minutes(1)))
struct LifetimeTests {
  private typealias Facts = LifetimeState.Facts
  private static let second: UInt64 = 1_000_000_000

  /// Advances the state to the times that it requests, with changing facts, until `end`.
  private func run(
    _ limits: ConnectionLifetime, jitter: Double = 1, until end: UInt64,
    _ calls: (UInt64) -> Int = { _ in 0 },
    _ facts: (UInt64) -> (lastRead: UInt64, isBusy: Bool, isDraining: Bool)
  ) -> [String] {
    var state = LifetimeState(limits, now: 0, jitter: jitter)
    var now: UInt64 = 0
    var happened: [String] = []
    while now <= end {
      let (lastRead, isBusy, isDraining) = facts(now / Self.second)
      let (actions, wake) = state.due(
        Facts(
          now: now, lastRead: lastRead * Self.second, isBusy: isBusy,
          callsBegun: calls(now / Self.second), isDraining: isDraining))
      happened += actions.map { "\(now / Self.second): \($0)" }
      if actions.contains(where: { if case .close = $0 { true } else { false } }) { break }
      #expect(wake > now)
      now = wake
    }
    return happened
  }

  @Test("a silent peer is pinged, and closed when it does not answer")
  func keepalive() {
    var limits = ConnectionLifetime()
    limits.keepaliveInterval = .seconds(10)
    limits.keepaliveTimeout = .seconds(3)
    let dead = run(limits, until: 100 * Self.second) { _ in (4, false, false) }
    #expect(dead == ["14: ping", "17: close(\"no answer to a keepalive ping\")"])
    // It answers each ping a second later.
    let alive = run(limits, until: 40 * Self.second) { now in
      (now >= 26 ? 26 : now >= 13 ? 13 : now >= 11 ? 11 : 0, false, false)
    }
    #expect(alive.first == "10: ping")
    #expect(!alive.contains { $0.contains("close") && $0 < "26" })
    limits.keepaliveInterval = nil
    #expect(run(limits, until: 10_000 * Self.second) { _ in (0, false, false) } == [])
  }

  @Test("a connection ages, within its jitter, and ends after its grace period")
  func age() {
    var limits = ConnectionLifetime()
    limits.keepaliveInterval = nil
    limits.ageMax = .seconds(100)
    limits.ageGrace = .seconds(7)
    for (jitter, drains) in [(0.9, 90), (1, 100), (1.1, 110)] as [(Double, Int)] {
      let happened = run(limits, jitter: jitter, until: 1000 * Self.second) { now in
        (now, false, now > drains)
      }
      #expect(
        happened == [
          "\(drains): drain(\"max_age\")", "\(drains + 7): close(\"the connection is too old\")",
        ])
    }
    limits.ageGrace = nil
    #expect(run(limits, until: 1000 * Self.second) { ($0, false, $0 > 100) }.count == 1)
  }

  @Test("an idle connection is drained, one with calls is not")
  func idle() {
    var limits = ConnectionLifetime()
    limits.keepaliveInterval = nil
    limits.requestStallMax = .seconds(10_000)
    limits.idleMax = .seconds(30)
    let happened = run(limits, until: 200 * Self.second) { now in
      (min(now, 50), now < 90, now > 121)
    }
    #expect(happened.map { $0.hasSuffix("drain(\"max_idle\")") } == [true])
    let busy = run(limits, until: 200 * Self.second) { _ in (0, true, false) }
    #expect(!busy.contains { $0.contains("drain") })
    // Pings are not calls; a call that came and went between two checks is one.
    let pinging = run(limits, until: 31 * Self.second) { now in (now, false, now > 30) }
    #expect(pinging == ["30: drain(\"max_idle\")"])
    let calls: (UInt64) -> Int = { $0 < 30 ? 0 : 1 }
    let brief = run(limits, until: 61 * Self.second, calls) { now in (0, false, now > 60) }
    #expect(brief == ["60: drain(\"max_idle\")"])
    // A call that ended after a long time was no idleness meanwhile.
    let long = run(limits, until: 91 * Self.second) { now in (0, now < 31, now > 90) }
    #expect(long == ["90: drain(\"max_idle\")"])
  }

  @Test("a busy connection is checked for stalled streams")
  func sweeps() {
    var limits = ConnectionLifetime()
    limits.keepaliveInterval = nil
    limits.streamStallMax = .seconds(20)
    #expect(
      run(limits, until: 30 * Self.second) { _ in (0, true, false) }
        == ["10: sweep", "20: sweep", "30: sweep", "30: sweepRequests"])
  }

  // MARK: - On sockets

  private static let greeting =
    Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [
      0, 0, 0, 4, 0, 0, 0, 0, 0,
    ]
  private static let acknowledgement: [UInt8] = [0, 0, 0, 4, 1, 0, 0, 0, 0]
  private static let ping: [UInt8] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]

  /// Parses a server's output: the kinds of its frames, and the code and text of its last GOAWAY.
  private func parse(_ bytes: [UInt8]) -> (kinds: [UInt8], code: UInt8?, reason: String) {
    var kinds: [UInt8] = []
    var code: UInt8?
    var reason = ""
    var index = 0
    while index + 9 <= bytes.count {
      let length = Int(bytes[index + 1]) << 8 | Int(bytes[index + 2])
      guard index + 9 + length <= bytes.count else { break }
      kinds.append(bytes[index + 3])
      if kinds.last == 7 {
        code = bytes[index + 16]
        reason = String(decoding: bytes[(index + 17)..<(index + 9 + length)], as: UTF8.self)
      }
      index += 9 + length
    }
    return (kinds, code, reason)
  }

  /// - Parameter passing: How much time passes, in steps, after the server has read the preface.
  private func answer(
    to bytes: [UInt8], lifetime: ConnectionLifetime = .init(), limits: ConnectionLimits = .init(),
    passing: [Duration] = []
  ) async throws -> (kinds: [UInt8], code: UInt8?, reason: String) {
    var answer: [UInt8] = []
    try await withServer(try echoDispatcher(), limits: limits, lifetime: lifetime) {
      server, address, _ in
      var steps = passing[...]
      answer = try await speak(bytes, to: address) { heard in
        // The second SETTINGS acknowledges the client's.
        guard parse(heard).kinds.filter({ $0 == 4 }).count == 2 else { return }
        if let step = steps.popFirst() { await server.timePasses(step) }
      }
    }
    return parse(answer)
  }

  @Test("a peer that answers no ping is closed")
  func deadPeer() async throws {
    var lifetime = ConnectionLifetime()
    lifetime.keepaliveInterval = .seconds(300)
    lifetime.keepaliveTimeout = .seconds(100)
    let answer = try await answer(
      to: Self.greeting + Self.acknowledgement, lifetime: lifetime,
      passing: [.seconds(301), .seconds(500)])
    #expect(answer.kinds.contains(6))
    #expect(answer.code == nil)
  }

  @Test("an old connection gets two GOAWAY frames without an error, is told why, and ends")
  func oldConnection() async throws {
    var lifetime = ConnectionLifetime()
    lifetime.ageMax = .seconds(300)
    let answer = try await answer(
      to: Self.greeting + Self.acknowledgement, lifetime: lifetime,
      passing: [.seconds(331), .seconds(332)])
    #expect(answer.kinds.filter { $0 == 7 }.count == 2)
    #expect(answer.code == 0)
    #expect(answer.reason == "max_age")
  }

  @Test("an idle connection is drained, and told why")
  func idleConnection() async throws {
    var lifetime = ConnectionLifetime()
    lifetime.idleMax = .seconds(300)
    let answer = try await answer(
      to: Self.greeting + Self.acknowledgement, lifetime: lifetime,
      passing: [.seconds(301), .seconds(302)])
    #expect(answer.kinds.filter { $0 == 7 }.count == 2)
    #expect(answer.reason == "max_idle")
  }

  @Test("a peer that does not acknowledge the settings gets SETTINGS_TIMEOUT")
  func noAcknowledgement() async throws {
    var limits = ConnectionLimits()
    limits.handshakeMax = .seconds(300)
    let answer = try await answer(to: Self.greeting, limits: limits, passing: [.seconds(301)])
    #expect(answer.code == UInt8(ErrorCode.settingsTimeout.rawValue))
  }

  @Test("headers that never end are cut off")
  func slowHeaders() async throws {
    var limits = ConnectionLimits()
    limits.headersMax = .seconds(300)
    let begun: [[UInt8]] = [
      [0, 0, 9, 1, 0, 0, 0], [0, 0, 9, 1, 4, 0, 0, 0, 1, 0x82], [0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82],
    ]
    for bytes in begun {
      let answer = try await answer(
        to: Self.greeting + Self.acknowledgement + bytes, limits: limits,
        passing: [.seconds(301)])
      #expect(answer.code == UInt8(ErrorCode.enhanceYourCalm.rawValue))
    }
  }

  @Test("too many pings end the connection with that reason")
  func tooManyPings() async throws {
    let pings = [[UInt8]](repeating: Self.ping, count: 4).flatMap { $0 }
    let answer = try await answer(to: Self.greeting + Self.acknowledgement + pings)
    #expect(answer.code == UInt8(ErrorCode.enhanceYourCalm.rawValue))
    #expect(answer.reason == "too_many_pings")
  }

  @Test("a call without an end of its own ends with UNAVAILABLE when the server stops")
  func endless() async throws {
    let service = EndlessService()
    let router = try Router(services: [service])
    try await withServer(Dispatcher(router: router)) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      let responses: ResponseStream<Text> = try await client.serverStreaming(
        EndlessService.feed, Text(""))
      var iterator = responses.makeAsyncIterator()
      #expect(try await iterator.next()?.text == "first")
      // Returns at once: with the feed it would last the grace period, which the test has no time
      // for.
      await server.shutdown(grace: .seconds(600))
      let error = await failure { while try await iterator.next() != nil {} }
      #expect(error?.code == .unavailable)
      #expect(error?.message == "the server is shutting down")
      await service.witness.saw("cancelled")
      await client.shutdown()
    }
  }
}

extension LifetimeTests {
  @Test("a client that has sent GOAWAY is still told that the server stops")
  func drainAfterGoAway() async throws {
    let service = EndlessService()
    try await withServer(Dispatcher(router: try Router(services: [service]))) {
      server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      let responses: ResponseStream<Text> = try await client.serverStreaming(
        EndlessService.feed, Text(""))
      var iterator = responses.makeAsyncIterator()
      #expect(try await iterator.next()?.text == "first")
      let connection = try #require(client.state.withLock { $0.connections.values.first })
      connection.executor.execute {
        connection.session.submitGoAway()
        connection.markDirty()
      }
      try await eventually {
        await server.ask(Connection.self) { $0.draining == .final } == [true]
      }
      await server.shutdown(grace: .seconds(600))
      let error = await failure { while try await iterator.next() != nil {} }
      #expect(error?.message == "the server is shutting down")
      await client.shutdown()
    }
  }
}

/// Streams that never end by themselves.
private struct EndlessService: RPCService {
  static let feed = MethodDescriptor(
    service: "test.Endless", name: "Feed", kind: .serverStreaming)

  let witness = Witness()

  var methods: [MethodHandler] { [.serverStreaming(Self.feed, stream)] }

  @Sendable private func stream(
    _ request: Text, _ responses: ResponseWriter<Text>, _ context: ServerContext
  ) async throws {
    try context.endWhenDraining()
    #expect(!context.isDraining)
    try await responses.send(Text("first"))
    do {
      // A real sleep: only a cancellation ends it.
      try await Task.sleep(for: .seconds(600))
    } catch {
      #expect(context.isDraining)
      witness.note("cancelled")
      throw error
    }
  }
}
