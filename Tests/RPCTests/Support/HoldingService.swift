import Synchronization

@testable import RPC

/// A service with a method that sends as fast as it can, and one that reads only on request.
final class HoldingService: RPCService {
  static let name = "test.Holding"
  static let echo = MethodDescriptor(service: name, name: "Echo", kind: .unary)
  static let pour = MethodDescriptor(service: name, name: "Pour", kind: .serverStreaming)
  static let hold = MethodDescriptor(service: name, name: "Hold", kind: .clientStreaming)

  let witness = Witness()
  private let inbox = Mutex<Inbox?>(nil)

  var methods: [MethodHandler] {
    [
      .unary(Self.echo) { (request: Text, _) in request }, .serverStreaming(Self.pour, poured),
      .clientStreaming(Self.hold, held),
    ]
  }

  /// Bytes that `hold` has not read yet.
  var heldBytes: Int {
    get async {
      guard let inbox = inbox.withLock({ $0 }) else { return 0 }
      return await inbox.exchange.onLoop { inbox.unreadBytes }
    }
  }

  /// For `count text`: sends the text that many times; each send that returned is recorded.
  @Sendable private func poured(
    _ request: Text, _ responses: ResponseWriter<Text>, _ context: ServerContext
  ) async throws {
    let parts = request.text.split(separator: " ", maxSplits: 1)
    let message = Text(String(parts[1]))
    for index in 1...(Int(parts[0]) ?? 1) {
      try await responses.send(message)
      witness.note("sent \(index)")
    }
  }

  /// Reads after "read" was recorded, and counts.
  @Sendable private func held(
    _ requests: RequestStream<Text>, _ context: ServerContext
  ) async throws -> Text {
    inbox.withLock { $0 = requests.inbox }
    defer { inbox.withLock { $0 = nil } }
    await witness.saw("read")
    var count = 0
    for try await _ in requests { count += 1 }
    return Text("\(count)")
  }
}
