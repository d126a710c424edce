import Logging
import NIOCore
import NIOPosix
import RPC
import RPCInProcess
import TestWaiting
import Testing

@testable import GatewayCore
@testable import RPCTransport

/// Bodies of JSON that are not whole, in the memory that all connections of the port share.
@Suite("JSON bodies that are held", .timeLimit(.minutes(2)))
struct HeldBodyTests {
  private static let step = HeldMemory.stepBytes

  private let loopback = Loopback()

  private func withEdge(
    heldBytesMax: Int, _ body: (Server, HostPort) async throws -> Void
  ) async throws {
    let gateway = try TestGateway(InProcessChannel(services: [FakeRegistry()])).gateway
    let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let face = try JSONFace(
      of: gateway, contracts: JSONContracts(), origins: BrowserOrigins(),
      messageBytesMax: 4 << 20, logger: quiet)
    let (server, address) = try await loopback.serve(
      handlers: [gateway, face], heldBytesMax: heldBytesMax)
    try await body(server, address)
    try await eventually { server.heldMemory.bytes == 0 }
    await server.shutdown(grace: .zero)
  }

  private static func post(_ path: String, type: String, bytes: Int) -> String {
    "POST \(path) HTTP/1.1\r\nHost: a\r\nx-api-key: \(TestGateway.partnerKey)\r\n"
      + "Accept-Language: en\r\nContent-Type: \(type)\r\nContent-Length: \(bytes)\r\n\r\n"
  }

  /// Posts a body of 300,000 bytes but for its end.
  private func begin(_ path: String, type: String, _ address: HostPort) async throws
    -> any NIOCore.Channel
  {
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connect(host: address.host, port: address.port).get()
    let head = Self.post(path, type: type, bytes: 300_000)
    let body = "{\"application\":{\"personName\":\"" + String(repeating: "a", count: 150_000)
    try await channel.writeAndFlush(ByteBuffer(string: head + body))
    return channel
  }

  private static let requests = [
    ("/v1/enrollments", "application/json"),
    ("/yijia.members.v1.MembersService/WatchMemberEvents", "application/json"),
    ("/yijia.members.v1.MembersService/EnrollMembers", "application/x-ndjson"),
  ]

  @Test(
    "a body or line that is not whole counts, and a further one is refused with a delay",
    arguments: requests)
  func refused(path: String, type: String) async throws {
    try await withEdge(heldBytesMax: 2 * Self.step) { server, address in
      let first = try await begin(path, type: type, address)
      try await eventually { server.heldMemory.bytes == 2 * Self.step }
      let head = Self.post("/v1/enrollments", type: "application/json", bytes: 300_000)
      let answer = try await speak(
        [Array((head + String(repeating: " ", count: 80_000)).utf8)], to: address,
        until: { $0.contains("BODIES_HELD") })
      #expect(answer.hasPrefix("HTTP/1.1 503 "), "\(answer)")
      #expect(answer.lowercased().contains("retry-after: 1"), "\(answer)")
      // Whoever leaves gives back what it held.
      try await first.close()
      try await eventually { server.heldMemory.bytes == 0 }
      let name = String(repeating: "a", count: 100_000)
      let body = "{\"application\":{\"personName\":\"\(name)\"}}"
      let whole = Self.post("/v1/enrollments", type: "application/json", bytes: body.utf8.count)
      let served = try await speak(
        [Array((whole + body).utf8)], to: address, until: { $0.contains("aaa\"") })
      #expect(served.hasPrefix("HTTP/1.1 200 "), "\(served.prefix(300))")
    }
  }
}
