import HTTP2
import Logging
import RPC
import Synchronization
import TestWaiting
import Testing

@testable import RPCTransport

/// A client's use of connections, against scripted servers.
@Suite("Connections of clients", .timeLimit(.minutes(1)))
struct ClientConnectionTests {
  @Test("a call refused without processing is sent again, once")
  func refused() async throws {
    let witness = Witness()
    try await ScriptedServer.withClient { turn in
      guard let stream = turn.endedRequest else { return }
      witness.note("request \(turn.request)")
      switch turn.request {
      case 2, 4...: turn.answerWell(stream)
      default: turn.session.reset(stream, .refusedStream)
      }
    } _: { channel in
      let answer1 = try await channel.echo("x")
      #expect(answer1 == "x")
      let call: ClientStreamingCall<Text, Text> = try await channel.clientStreaming(
        EchoService.collect)
      try await call.send("a")
      let answer2 = try await call.finish().message
      #expect(answer2 == "x")
    }
    #expect(witness.events.count == 4)
    try await ScriptedServer.withClient { turn in
      if let stream = turn.endedRequest { turn.session.reset(stream, .refusedStream) }
    } _: { channel in
      #expect(await failure { _ = try await channel.echo("x") }?.code == .unavailable)
    }
  }

  /// Notes the `user-agent` of each call.
  private struct AgentNote: ServerInterceptor {
    let witness: Witness

    func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
      witness.note(context.metadata.values("user-agent").map { "\($0)" }.joined(separator: ";"))
      try await next()
    }
  }

  @Test("a client says what it is, unless its metadata does")
  func userAgent() async throws {
    let witness = Witness()
    let dispatcher = Dispatcher(
      router: try Router(
        services: [EchoService()], interceptors: [AgentNote(witness: witness)]))
    try await withServer(dispatcher) { _, address, loops in
      let channel = try ClientChannel(targets: [address], loops: loops)
      _ = try await channel.echo("x")
      var options = CallOptions()
      options.timeout = .seconds(30)
      _ = try await channel.echo("x", options: options)
      options.metadata = ["user-agent": "kiosk/2"]
      _ = try await channel.echo("x", options: options)
      await channel.shutdown()
    }
    let own = "text(\"grpc-swift-yijia/1.0.0\")"
    #expect(witness.events == [own, own, "text(\"kiosk/2\")"])
  }

  @Test("custom metadata follows everything that is gRPC's")
  func headOrder() async throws {
    let witness = Witness()
    try await ScriptedServer.withClient { turn in
      if case .head(_, let block, _) = turn.event {
        turn.session.forEachField(in: block) { name, _ in
          witness.note(name.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
        }
      }
      if let stream = turn.endedRequest { turn.answerWell(stream) }
    } _: { channel in
      var options = CallOptions()
      options.metadata = ["x-a": "1"]
      options.timeout = .seconds(30)
      _ = try await channel.echo("x", options: options)
    }
    #expect(witness.events.last == "x-a")
    #expect(witness.events.contains("user-agent"))
  }

  @Test("a shutdown with grace lets the running calls end, but begins none")
  func gracefulShutdown() async throws {
    try await withServer(try echoDispatcher()) { _, address, loops in
      let channel = try ClientChannel(targets: [address], loops: loops)
      let call: BidirectionalCall<Text, Text> = try await channel.bidirectionalStreaming(
        EchoService.chat)
      var responses = call.responses.makeAsyncIterator()
      try await call.send("a")
      #expect(try await responses.next()?.text == "re: a")
      let stop = Task { await channel.shutdown(grace: .seconds(600)) }
      var now = channel.connectivity
      while now != .shutdown { now = try await channel.connectivity(otherThan: now) }
      #expect(await failure { _ = try await channel.echo("x") }?.code == .unavailable)
      try await call.send("b")
      #expect(try await responses.next()?.text == "re: b")
      try await call.finishSending()
      #expect(try await responses.next() == nil)
      await stop.value
      #expect(channel.state.withLock { $0.connections.isEmpty })
    }
  }

  @Test("a call that was never sent is sent again, however often that happens")
  func unsent() async throws {
    var limits = SessionLimits()
    limits.concurrentStreamsMax = 1
    let witness = Witness()
    // On each of the first four connections one call has the only stream, and is lost with it; the
    // others wait.
    try await ScriptedServer.withClient(limits: limits) { turn in
      guard let stream = turn.endedRequest else { return }
      witness.note("request \(turn.request)")
      if turn.request <= 4 { turn.close() } else { turn.answerWell(stream) }
    } _: { channel in
      let codes = await withTaskGroup(of: RPCError.Code?.self) { group in
        for _ in 0..<5 {
          group.addTask { await failure { _ = try await channel.echo("x") }?.code }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(codes.filter { $0 == .unavailable }.count == 4)
      #expect(codes.filter { $0 == nil }.count == 1)
    }
    #expect(witness.events.count == 5)
  }

  @Test("a call whose connections end just before it uses them goes to the next one")
  func endedBeforeUse() async throws {
    try await withServer(try echoDispatcher()) { _, address, loops in
      var configuration = ClientConfiguration(targets: [address])
      configuration.backoff = ConnectBackoff(initial: .milliseconds(1), max: .milliseconds(5))
      let channel = try ClientChannel(configuration: configuration, loops: loops)
      #expect(try await channel.echo("x") == "x")
      let connection = try #require(channel.state.withLock { $0.lanes.first?.connection })
      await withTaskExecutorPreference(connection.executor) {
        // As if the channel were slow to take note of it.
        connection.draining = .final
        _ = connection.executor.schedule(after: .milliseconds(20)) { connection.close("over") }
      }
      #expect(await failure { _ = try await channel.echo("x") } == nil)
      await channel.shutdown()
    }
  }

  @Test("the connection of a removed address is released when it has ended")
  func leftAddress() async throws {
    try await withServer(try echoDispatcher()) { server, address, loops in
      let channel = try ClientChannel(targets: [address], loops: loops)
      #expect(try await channel.echo("x") == "x")
      // As when a name does not resolve to it any more: nobody else refers to the backend.
      let stop = {
        let left = channel.state.withLock { state in
          defer {
            state.subchannels = []
            state.lanes = []
          }
          return state.subchannels
        }
        for subchannel in left { subchannel.stop() }
      }
      stop()
      try await eventually { channel.state.withLock { $0.connections.isEmpty } }
      try await eventually { server.connectionCount == 0 }
      await channel.shutdown()
    }
  }

  @Test("an idle connection that its server ends is made again when a call needs it, not at once")
  func displaced() async throws {
    try await withServer(try echoDispatcher()) { server, address, loops in
      var configuration = ClientConfiguration(targets: [address])
      configuration.backoff = ConnectBackoff(initial: .seconds(600), max: .seconds(600))
      let channel = try ClientChannel(configuration: configuration, loops: loops)
      #expect(try await channel.echo("x") == "x")
      // As if it had worked for a minute.
      let subchannel = try #require(channel.state.withLock { $0.subchannels.first })
      subchannel.state.withLock { $0.readySince = ContinuousClock.now - .seconds(60) }
      _ = await server.ask(Connection.self) { $0.makeRoom() }
      #expect(try await channel.connectivity(otherThan: .ready) == .idle)
      #expect(channel.standings.map(\.state) == [.idle])
      #expect(try await channel.echo("x") == "x")
      await channel.shutdown()
    }
  }

  @Test("after GOAWAY running calls end there; calls above its id and new calls go elsewhere")
  func goAway() async throws {
    let witness = Witness()
    let gone = Once()
    try await ScriptedServer.withClient { turn in
      guard let stream = turn.endedRequest else { return }
      witness.note("connection \(turn.connection)")
      if turn.connection > 1 { return turn.answerWell(stream) }
      // The first stays open past the GOAWAY that names it; the second is above its id.
      if gone.isFirst() { return }
      turn.session.submitGoAway(last: 1)
      turn.answerWell(StreamKey(id: 1, slot: 0))
    } _: { channel in
      async let first = channel.echo("x")
      await witness.saw("connection 1")
      let answer3 = try await channel.echo("x")
      #expect(answer3 == "x")
      let answer = try await first
      #expect(answer == "x")
      let answer4 = try await channel.echo("x")
      #expect(answer4 == "x")
    }
    #expect(witness.events == ["connection 1", "connection 1", "connection 2", "connection 2"])
  }

  @Test("calls above the peer's limit of streams wait for a free one, or until their deadline")
  func maxStreams() async throws {
    var limits = SessionLimits()
    limits.concurrentStreamsMax = 1
    let held = Witness()
    try await ScriptedServer.withClient(limits: limits) { turn in
      guard let stream = turn.endedRequest else { return }
      if turn.request == 1 { held.note("kept") } else { turn.answerWell(stream) }
    } _: { channel in
      let first = Task { await failure { _ = try await channel.echo("x") } }
      await held.saw("kept")
      var options = CallOptions()
      options.timeout = .milliseconds(20)
      let short = options
      let second = await failure { _ = try await channel.echo("x", options: short) }
      #expect(second?.code == .deadlineExceeded)
      // The third gets the stream that the first releases.
      let third = Task { try await channel.echo("x") }
      first.cancel()
      let answer = try await third.value
      #expect(answer == "x")
      #expect(await first.value?.code == .cancelled)
    }
  }

  @Test("another connection is opened when the streams of the first are in use, if so configured")
  func moreConnections() async throws {
    var limits = SessionLimits()
    limits.concurrentStreamsMax = 1
    let held = Witness()
    try await ScriptedServer.withClient(limits: limits) {
      $0.balancing.connectionsMax = 2
    } _: { turn in
      guard let stream = turn.endedRequest else { return }
      if turn.connection == 1 { held.note("kept") } else { turn.answerWell(stream) }
    } _: { channel in
      let first = Task { try await channel.echo("x") }
      await held.saw("kept")
      // It waits for the new connection, not for a stream behind the first, which may never end.
      let answer = try await channel.echo("x")
      #expect(answer == "x")
      first.cancel()
    }
  }

  @Test("a connection without calls is closed after the idle time, and opened again on demand")
  func idle() async throws {
    try await ScriptedServer.withClient {
      $0.idleMax = .milliseconds(20)
    } _: { turn in
      if let stream = turn.endedRequest { turn.answerWell(stream) }
    } _: { channel in
      #expect(channel.connectivity == .idle)
      let answer6 = try await channel.echo("x")
      #expect(answer6 == "x")
      let answer7 = try await channel.connectivity(otherThan: .ready)
      #expect(answer7 == .idle)
      let answer8 = try await channel.echo("x")
      #expect(answer8 == "x")
    }
  }

  @Test("a backend that never answers its health check does not delay calls for ever")
  func silentHealthCheck() async throws {
    try await ScriptedServer.withClient {
      $0.healthService = ""
      $0.connectMax = .milliseconds(100)
    } _: { _ in
    } _: { channel in
      #expect(await failure { _ = try await channel.echo("x") }?.code == .unavailable)
      #expect(channel.connectivity == .transientFailure)
    }
  }

  @Test("a health check that ends after an answer is made again at once")
  func renewedHealthCheck() async throws {
    let witness = Witness()
    try await ScriptedServer.withClient {
      $0.healthService = ""
      $0.backoff = ConnectBackoff(initial: .seconds(600), max: .seconds(600))
    } _: { turn in
      guard let stream = turn.endedRequest else { return }
      if turn.request == 2 {
        turn.answerWell(stream)
        return turn.session.submitEnd(StreamKey(id: 1, slot: 0), trailers: nil)
      }
      // SERVING; the stream goes on.
      turn.answer(
        stream, [(":status", "200"), ("content-type", "application/grpc")],
        body: [0, 0, 0, 0, 2, 8, 1])
      witness.note("check \(turn.request)")
    } _: { channel in
      let answer = try await channel.echo("x")
      #expect(answer == "x")
      await witness.saw("check 3")
    }
  }

  private static func log(_ witness: Witness) -> Logger {
    Logger(label: "test") { _ in WitnessedLog(witness) }
  }

  @Test("a backend without a health service counts as serving, and the log says so")
  func noHealthService() async throws {
    let witness = Witness()
    try await withServer(try echoDispatcher()) { _, address, loops in
      var configuration = ClientConfiguration(targets: [address])
      configuration.healthService = "some.service"
      let channel = try ClientChannel(
        configuration: configuration, loops: loops, logger: Self.log(witness))
      let answer9 = try await channel.echo("x")
      #expect(answer9 == "x")
      await channel.shutdown()
    }
    #expect(
      witness.events.contains("error: a backend has no health service and counts as serving"))
  }

  @Test("pick_first ignores the health checks of the service config, not those of the channel")
  func healthChecks() {
    var configuration = ClientConfiguration(targets: [HostPort(host: "127.0.0.1", port: 1)])
    configuration.serviceConfig = ServiceConfig(healthService: "a.B")
    #expect(configuration.health == "a.B")
    configuration.balancing.policy = .pickFirst(shuffled: false)
    #expect(configuration.health == nil)
    configuration.healthService = "a.C"
    #expect(configuration.health == "a.C")
  }

  @Test(
    "after a server's complaint of pings new connections have half as many, and it is logged",
    arguments: [("too_many_pings", 2), ("too much", 1)] as [(StaticString, Int)])
  func tooManyPings(_ reason: StaticString, _ scale: Int) async throws {
    let witness = Witness()
    try await ScriptedServer.with { turn in
      guard turn.endedRequest != nil else { return }
      witness.note("request")
      turn.session.terminate(.enhanceYourCalm, reason)
    } _: { address, loops in
      let channel = try ClientChannel(
        configuration: ClientConfiguration(targets: [address]), loops: loops,
        logger: Self.log(witness))
      let call = Task { await failure { _ = try await channel.echo("x") } }
      await witness.saw("request")
      // On a slow machine another connection may be there by now.
      try await eventually {
        for connection in channel.state.withLock({ Array($0.connections.values) }) {
          let isDraining = await withTaskExecutorPreference(connection.executor) {
            connection.draining != .no
          }
          if isDraining { return true }
        }
        return false
      }
      #expect(channel.keepaliveScale == scale)
      await channel.shutdown()
      #expect(await call.value?.code == .unavailable)
    }
    let line = "notice: a server complains of too many pings: new connections have half as many"
    #expect(witness.events.contains(line) == (scale == 2))
  }

  @Test("a server's complaint of pings counts once, however often a connection repeats it")
  func repeatedComplaint() {
    let client = ClientSide(nil, callsMax: 1)
    client.heardGoAway(.noError, isAboutPings: true)
    #expect(!client.takeComplaint())
    client.heardGoAway(.enhanceYourCalm, isAboutPings: true)
    #expect(client.takeComplaint())
    client.heardGoAway(.enhanceYourCalm, isAboutPings: true)
    #expect(!client.takeComplaint())
  }

  @Test("connectivity can be read and awaited; connect() starts connecting by itself")
  func connectivity() async throws {
    try await withServer(try echoDispatcher()) { _, address, loops in
      let channel = try ClientChannel(targets: [address], loops: loops)
      #expect(channel.connectivity == .idle)
      channel.connect()
      var now = channel.connectivity
      while now != .ready { now = try await channel.connectivity(otherThan: now) }
      let error = await failure {
        try await channel.connectivity(otherThan: .ready, deadline: .after(.milliseconds(10)))
      }
      #expect(error?.code == .deadlineExceeded)
      await channel.shutdown()
      #expect(channel.connectivity == .shutdown)
    }
    let loops = EventLoops(threads: 1)
    let dead = try ClientChannel(targets: [HostPort(host: "127.0.0.1", port: 1)], loops: loops)
    dead.connect()
    var now = dead.connectivity
    while now != .transientFailure { now = try await dead.connectivity(otherThan: now) }
    await dead.shutdown()
    try await loops.shutdown()
  }

  @Test("pick_first takes the first reachable backend and stays with it")
  func pickFirst() async throws {
    try await withServer(Self.named("a")) { a, addressA, loops in
      try await withServer(Self.named("b")) { _, addressB, _ in
        var configuration = ClientConfiguration(
          targets: [HostPort(host: "127.0.0.1", port: 1), addressA, addressB])
        configuration.balancing.policy = .pickFirst(shuffled: false)
        let channel = try ClientChannel(configuration: configuration, loops: loops)
        for _ in 0..<20 { #expect(try await channel.echo("") == "a") }
        await a.shutdown(grace: .zero)
        // Calls sent before the client has noticed are lost with the connection.
        try await channel.connectivity(otherThan: .ready)
        var options = CallOptions()
        options.waitForReady = true
        let answer10 = try await channel.echo("", options: options)
        #expect(answer10 == "b")
        for _ in 0..<20 { #expect(try await channel.echo("") == "b") }
        await channel.shutdown()
      }
    }
  }

  @Test("pick_first tries its backends in their order, or in any if it is to shuffle them")
  func shuffled() async throws {
    let targets = (1...50).map { HostPort(host: "127.0.0.1", port: $0) }
    let loops = EventLoops(threads: 1)
    for isShuffled in [false, true] {
      var configuration = ClientConfiguration(targets: targets)
      configuration.balancing.policy = .pickFirst(shuffled: isShuffled)
      let channel = try ClientChannel(configuration: configuration, loops: loops)
      let order = channel.state.withLock { $0.subchannels.map(\.target) }
      #expect((order == targets) == !isShuffled)
      #expect(Set(order) == Set(targets))
    }
    try await loops.shutdown()
  }

  @Test("a name stands for all its addresses, and a name without any fails calls")
  func names() async throws {
    try await withServer(try echoDispatcher()) { _, address, loops in
      let channel = try ClientChannel(
        targets: [HostPort(host: "localhost", port: address.port)], loops: loops)
      var options = CallOptions()
      options.waitForReady = true
      let answer11 = try await channel.echo("x", options: options)
      #expect(answer11 == "x")
      await channel.shutdown()
      let none = try ClientChannel(
        targets: [HostPort(host: "no-such-name.invalid", port: 1)], loops: loops)
      #expect(await failure { _ = try await none.echo("x") }?.code == .unavailable)
      #expect(none.connectivity == .transientFailure)
      await none.shutdown()
    }
  }

  @Test("targets are parsed from text, sockets among them")
  func targets() {
    #expect(HostPort("unix:/run/x.sock")?.socketPath == "/run/x.sock")
    #expect(HostPort("unix:///run/x.sock")?.socketPath == "/run/x.sock")
    #expect(HostPort("unix:") == nil)
    #expect(HostPort("unix:/run/x.sock")?.description == "unix:/run/x.sock")
    #expect(HostPort("[::1]:80")?.socketPath == nil)
    #expect(HostPort("dns:///members:9101") == HostPort(host: "members", port: 9101))
    #expect(HostPort("dns:9101") == HostPort(host: "dns", port: 9101))
    #expect(HostPort("dns://8.8.8.8/members:9101") == nil)
    #expect(HostPort("https://members:9101") == nil)
  }

  private static func named(_ name: String) throws -> Dispatcher {
    struct Named: RPCService {
      let name: String

      var methods: [MethodHandler] {
        let name = name
        return [.unary(EchoService.unary) { (_: Text, _) in Text(name) }]
      }
    }
    return Dispatcher(router: try Router(services: [Named(name: name)]))
  }
}
