import RPC
import Synchronization

/// A message that consists of its text.
struct Text: WireMessage, Hashable, ExpressibleByStringLiteral {
  struct Malformed: Error {}

  var text: String

  init(_ text: String) { self.text = text }

  init(stringLiteral value: String) { text = value }

  init(wire bytes: RawSpan) throws {
    text = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    if text.hasPrefix("malformed") { throw Malformed() }
  }

  func wireBytes(headroom: Int) throws -> [UInt8] {
    [UInt8](repeating: 0, count: headroom) + Array(text.utf8)
  }
}

/// Records events of handlers, for tests to await.
final class Witness: Sendable {
  private struct State {
    var events: [String] = []
    var isGivenUp = false
    var waiters: [(event: String, continuation: CheckedContinuation<Void, Never>)] = []
  }

  private let state = Mutex(State())

  func note(_ event: String) {
    let woken = state.withLock { state in
      state.events.append(event)
      let woken = state.waiters.filter { $0.event == event }
      state.waiters.removeAll { $0.event == event }
      return woken.map(\.continuation)
    }
    for waiter in woken { waiter.resume() }
  }

  var events: [String] { state.withLock { $0.events } }

  /// Suspends until the event was recorded, or the test is cancelled by its time limit.
  func saw(_ event: String) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isThere = state.withLock { state in
          if state.events.contains(event) || state.isGivenUp { return true }
          state.waiters.append((event, continuation))
          return false
        }
        if isThere { continuation.resume() }
      }
    } onCancel: {
      let waiters = state.withLock { state in
        state.isGivenUp = true
        defer { state.waiters = [] }
        return state.waiters
      }
      for waiter in waiters { waiter.continuation.resume() }
    }
  }
}

/// A service with all four kinds of methods, and methods that misbehave.
struct EchoService: RPCService {
  static let name = "test.Echo"
  static let unary = MethodDescriptor(service: name, name: "Unary", kind: .unary)
  static let fail = MethodDescriptor(service: name, name: "Fail", kind: .unary)
  static let wait = MethodDescriptor(service: name, name: "Wait", kind: .unary)
  static let collect = MethodDescriptor(service: name, name: "Collect", kind: .clientStreaming)
  static let `repeat` = MethodDescriptor(service: name, name: "Repeat", kind: .serverStreaming)
  static let chat = MethodDescriptor(service: name, name: "Chat", kind: .bidirectionalStreaming)

  let witness: Witness

  init(witness: Witness = Witness()) { self.witness = witness }

  var methods: [MethodHandler] {
    [
      .unary(Self.unary, unary), .unary(Self.fail, fail), .unary(Self.wait, wait),
      .clientStreaming(Self.collect, collect), .serverStreaming(Self.repeat, repeated),
      .bidirectionalStreaming(Self.chat, chat),
    ]
  }

  @Sendable private func unary(_ request: Text, _ context: ServerContext) async throws -> Text {
    if let echo = context.metadata[text: "x-echo"] {
      context.responseHeaders.add("x-echo", echo)
      for case .binary(let bytes) in context.metadata.values("x-echo-bin") {
        context.responseTrailers.add("x-echo-bin", bytes)
      }
    }
    return Text(request.text == "who" ? context.peer.certificateURIs.joined() : request.text)
  }

  @Sendable private func fail(_ request: Text, _ context: ServerContext) async throws -> Text {
    struct Foreign: Error { let secret = "the secret" }
    switch request.text {
    case "foreign": throw Foreign()
    case "cancel": throw CancellationError()
    default:
      throw RPCError(
        .failedPrecondition, request.text, details: [8, 9, 10], metadata: ["x-why": "because"])
    }
  }

  /// Waits until it is cancelled.
  @Sendable private func wait(_ request: Text, _ context: ServerContext) async throws -> Text {
    witness.note("started")
    defer { witness.note("returned") }
    do {
      // Waits until it is cancelled.
      try await Task.sleep(for: .seconds(3600))
    } catch {
      witness.note("cancelled")
      throw error
    }
    return request
  }

  @Sendable private func collect(
    _ requests: RequestStream<Text>, _ context: ServerContext
  ) async throws -> Text {
    var all: [String] = []
    for try await request in requests { all.append(request.text) }
    return Text(all.joined(separator: ","))
  }

  /// For `count` or `count text`: the text that many times; `0 x` fails at once.
  @Sendable private func repeated(
    _ request: Text, _ responses: ResponseWriter<Text>, _ context: ServerContext
  ) async throws {
    let parts = request.text.split(separator: " ", maxSplits: 1)
    let count = parts.first.flatMap { Int($0) } ?? 0
    if parts.count > 1, count == 0 { throw RPCError(.notFound, "nothing to repeat") }
    for index in 0..<count {
      try await responses.send(Text(parts.count > 1 ? String(parts[1]) : "\(index)"))
      witness.note("sent \(index)")
    }
  }

  @Sendable private func chat(
    _ requests: RequestStream<Text>, _ responses: ResponseWriter<Text>, _ context: ServerContext
  ) async throws {
    witness.note("chatting")
    defer { witness.note("chat over") }
    do {
      for try await request in requests {
        if request.text == "bye" { throw RPCError(.aborted, "you said bye") }
        try await responses.send(Text("re: " + request.text))
      }
    } catch {
      witness.note("chat failed")
      throw error
    }
  }
}
