import Foundation
import Glibc
import HTTP2
import NIOCore
import NIOPosix
import RPC
import Synchronization
import TestWaiting
import Testing

@testable import RPCTransport

@Suite("Sockets", .timeLimit(.minutes(1)))
struct SocketTests {
  // MARK: - Unix sockets

  private static func withPath(_ body: (HostPort, String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "yijia-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appending(path: "s").path
    try await body(try #require(HostPort("unix:\(path)")), path)
  }

  private static func server(at address: HostPort, _ loops: EventLoops) throws -> Server {
    Server(
      configuration: ServerConfiguration(address: address), dispatcher: try echoDispatcher(),
      loops: loops)
  }

  @Test("a server listens on a Unix socket, which is removed when it stops")
  func unixSocket() async throws {
    let loops = EventLoops(threads: 1)
    try await Self.withPath { address, path in
      let server = try Self.server(at: address, loops)
      #expect(try await server.start() == address)
      // A health check names the server as calls do; this one has none and counts as serving.
      var configuration = ClientConfiguration(targets: [address])
      configuration.healthService = ""
      let channel = try ClientChannel(configuration: configuration, loops: loops)
      #expect(try await channel.echo("x") == "x")
      await channel.shutdown()
      await server.shutdown(grace: .zero)
      #expect(!FileManager.default.fileExists(atPath: path))
    }
    try await loops.shutdown()
  }

  @Test("a socket left by a killed server is replaced, that of a running one is not")
  func staleSocket() async throws {
    let loops = EventLoops(threads: 1)
    try await Self.withPath { address, path in
      // Bound and closed without being removed: nobody listens.
      let stale = try await Self.bound(path)
      stale.close()
      #expect(FileManager.default.fileExists(atPath: path))
      let server = try Self.server(at: address, loops)
      _ = try await server.start()
      await #expect(throws: (any Error).self) {
        _ = try await Self.server(at: address, loops).start()
      }
      let channel = try ClientChannel(targets: [address], loops: loops)
      #expect(try await channel.echo("x") == "x", "the first still serves")
      await channel.shutdown()
      await server.shutdown(grace: .zero)
    }
    try await loops.shutdown()
  }

  @Test("an address that another server has is named")
  func taken() async throws {
    let loops = EventLoops(threads: 1)
    let server = try Self.server(at: HostPort(host: "127.0.0.1", port: 0), loops)
    let address = try await server.start()
    let error = await #expect(throws: ListenError.self) {
      _ = try await Self.server(at: address, loops).start()
    }
    #expect(error?.description == "cannot listen on \(address): Address already in use")
    await server.shutdown(grace: .zero)
    try await loops.shutdown()
  }

  private struct Bound {
    let descriptor: Int32

    func close() { _ = Glibc.close(descriptor) }
  }

  private static func bound(_ path: String) async throws -> Bound {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(status == 0)
    return Bound(descriptor: descriptor)
  }

  // MARK: - Peers that are gone

  @Test("TCP gives a peer that acknowledges nothing the time of the stall limit, on both sides")
  func userTimeout() async throws {
    var limits = ConnectionLimits()
    limits.stallMax = .seconds(7)
    try await withServer(try echoDispatcher(), limits: limits) { server, address, loops in
      var configuration = ClientConfiguration(targets: [address])
      configuration.limits.stallMax = .seconds(9)
      let client = try ClientChannel(configuration: configuration, loops: loops)
      #expect(try await client.echo("x") == "x")
      let own = try await Self.connection(of: client) { $0.takesCalls }
      let ours = try await own.executor.eventLoop.submit { own.context?.channel }.get()
      let accepted = await server.ask(Connection.self) { $0.context?.channel }
      let theirs = accepted.first ?? nil
      for (channel, timeout) in [(ours, 9_000), (theirs, 7_000)] {
        let open = try #require(channel)
        let set = try await open.getOption(.tcpOption(.userTimeout)).get()
        #expect(set == timeout)
      }
      await client.shutdown()
    }
    limits.stallMax = .nanoseconds(1)
    #expect(limits.userTimeout == 1, "0 would be the system's own")
    limits.stallMax = .seconds(1 << 40)
    #expect(limits.userTimeout == Int(Int32.max))
  }

  @Test("a server that accepts connections and says nothing fails the attempt, in time")
  func mute() async throws {
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(listener.localAddress?.port)
    let loops = EventLoops(threads: 1)
    var configuration = ClientConfiguration(targets: [HostPort(host: "127.0.0.1", port: port)])
    configuration.connectMax = .milliseconds(50)
    configuration.backoff = ConnectBackoff(initial: .milliseconds(1), max: .milliseconds(1))
    let channel = try ClientChannel(configuration: configuration, loops: loops)
    let error = await failure { _ = try await channel.echo("x") }
    #expect(error?.code == .unavailable)
    #expect(error?.message.contains("no HTTP/2 within") == true)
    await channel.shutdown()
    try await loops.shutdown()
    try await listener.close()
  }

  @Test("pick_first tries the next backend beside one that says nothing, and gives that up")
  func muteFirst() async throws {
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(listener.localAddress?.port)
    try await withServer(try echoDispatcher()) { _, address, loops in
      var configuration = ClientConfiguration(
        targets: [HostPort(host: "127.0.0.1", port: port), address])
      configuration.balancing.policy = .pickFirst(shuffled: false)
      configuration.connectMax = .seconds(3600)
      let channel = try ClientChannel(configuration: configuration, loops: loops)
      var options = CallOptions()
      options.timeout = .seconds(30)
      let within = options
      #expect(await failure { _ = try await channel.echo("x", options: within) } == nil)
      try await eventually { channel.state.withLock { $0.connections.count } == 1 }
      await channel.shutdown()
    }
    try await listener.close()
  }

  // MARK: - Keepalive of a client

  @Test("a client pings a server that is silent during a call, and drops it")
  func keepalive() async throws {
    let loops = EventLoops(threads: 1)
    let witness = Witness()
    try await SilentServer.with(witness) { address in
      var configuration = ClientConfiguration(targets: [address])
      configuration.keepalive = ClientKeepalive(interval: .seconds(300), timeout: .seconds(100))
      let channel = try ClientChannel(configuration: configuration, loops: loops)
      async let failed = failure { _ = try await channel.echo("x") }
      await witness.saw("frame 1")
      #expect(!witness.events.contains("frame 6"))
      await channel.timePasses(.seconds(301))
      await witness.saw("frame 6")
      await channel.timePasses(.seconds(500))
      let error = await failed
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("keepalive") == true)
      await channel.shutdown()
    }
    try await loops.shutdown()
  }

  @Test("a server that vanishes after its GOAWAY is dropped, and its calls fail")
  func keepaliveWhileDraining() async throws {
    let configure: (inout ClientConfiguration) -> Void = {
      $0.keepalive = ClientKeepalive(interval: .seconds(300), timeout: .seconds(100))
    }
    try await ScriptedServer.withClient(configure: configure) { turn in
      if turn.endedRequest != nil { turn.session.submitGoAway() }
    } _: { channel in
      async let failed = failure { _ = try await channel.echo("x") }
      let connection = try await Self.connection(of: channel) { $0.draining == .final }
      #expect(!connection.takesCalls)
      // What it answers meanwhile precedes the elapsed time.
      await channel.timePasses(.seconds(301))
      await channel.timePasses(.seconds(500))
      let error = await failed
      #expect(error?.message.contains("keepalive") == true)
    }
  }

  /// Returns the channel's connection as soon as the condition holds for it.
  private static func connection(
    of channel: ClientChannel, when isSo: @escaping @Sendable (Connection) -> Bool
  ) async throws -> Connection {
    var found: Connection?
    try await eventually {
      for connection in channel.state.withLock({ Array($0.connections.values) })
      where try await connection.executor.eventLoop.submit({ isSo(connection) }).get() {
        found = connection
      }
      return found != nil
    }
    return try #require(found)
  }

  @Test("calls cancelled while they waited are bounded")
  func waitingCalls() async throws {
    var limits = SessionLimits()
    limits.concurrentStreamsMax = 1
    let witness = Witness()
    try await ScriptedServer.withClient(limits: limits) { turn in
      if turn.endedRequest != nil { witness.note("request") }
    } _: { channel in
      async let held = failure { _ = try await channel.echo("x") }
      await witness.saw("request")
      let connection = try await Self.connection(of: channel) { $0.isFull }
      let error = try await connection.executor.eventLoop.submit {
        for _ in 0..<20_000 {
          do throws(RPCError) {
            let waiting = try connection.open(
              RequestHead(path: "/a/b"), authority: "x", options: ExchangeOptions())
            waiting.exchange.reset(.cancel)
          } catch {
            return error as RPCError?
          }
        }
        return nil
      }.get()
      #expect(error?.code == .resourceExhausted)
      connection.executor.execute { connection.close("enough") }
      #expect(await held?.code == .unavailable)
    }
  }

  // MARK: - Fairness

  @Test(
    "a connection that keeps the loop busy is read in smaller parts, later in larger ones again")
  func readSizes() {
    let long = ReadSize.turnNanosecondsMax + 1
    var size = ReadSize(bytesMax: 16 << 10)
    #expect(size.bytes == ReadSize.bytesMin)
    for _ in 0..<10 { size.turned(bytes: size.bytes, nanoseconds: 1000) }
    #expect(size.bytes == 16 << 10)
    size.turned(bytes: 100, nanoseconds: 1000)
    #expect(size.bytes == 16 << 10, "little read is no reason")
    size.turned(bytes: size.bytes, nanoseconds: long)
    #expect(size.bytes == 8 << 10)
    for _ in 0..<10 { size.turned(bytes: size.bytes, nanoseconds: long) }
    #expect(size.bytes == ReadSize.bytesMin)
    size.turned(bytes: size.bytes, nanoseconds: long / 2 + 1000)
    #expect(size.bytes == ReadSize.bytesMin, "what lasts as long as it should stays")
    size.turned(bytes: size.bytes, nanoseconds: 1000)
    #expect(size.bytes == 2 * ReadSize.bytesMin)
    #expect(size.largest == 16 << 10)
  }

  @Test("the number of connections is the process's limit of open files less some")
  func descriptors() {
    #expect(Descriptors.connectionsMax(10_000, descriptors: 1 << 20) == 10_000)
    #expect(Descriptors.connectionsMax(10_000, descriptors: 1024) == 1024 - Descriptors.kept)
    #expect(Descriptors.connectionsMax(10_000, descriptors: 3) == 1)
  }

  @Test("a client that leaves with many running calls has all of them cancelled")
  func leaving() async throws {
    let count = 100
    let service = PatientService()
    let dispatcher = Dispatcher(router: try Router(services: [service]))
    try await withServer(dispatcher) { _, address, loops in
      let channel = try ClientChannel(targets: [address], loops: loops)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<count {
          group.addTask {
            let error = await failure { _ = try await channel.call(PatientService.wait, "x") }
            #expect(error?.code == .unavailable)
          }
        }
        await service.witness.saw("begun \(count)")
        await channel.shutdown()
        try await group.waitForAll()
      }
      await service.witness.saw("cancelled \(count)")
    }
  }
}

/// Calls that end only when they are cancelled; their starts and ends are counted.
private final class PatientService: RPCService {
  static let wait = MethodDescriptor(service: "test.Patient", name: "Wait", kind: .unary)

  let witness = Witness()
  private let counts = Mutex((begun: 0, cancelled: 0))

  var methods: [MethodHandler] {
    [
      .unary(Self.wait) { (request: Text, _) in
        let begun = self.counts.withLock { counts in
          counts.begun += 1
          return counts.begun
        }
        self.witness.note("begun \(begun)")
        // A real sleep: only a cancellation ends it.
        try? await Task.sleep(for: .seconds(3600))
        let cancelled = self.counts.withLock { counts in
          counts.cancelled += 1
          return counts.cancelled
        }
        self.witness.note("cancelled \(cancelled)")
        return request
      }
    ]
  }
}
