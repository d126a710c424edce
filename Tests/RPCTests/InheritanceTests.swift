import RPC
import RPCInProcess
import Testing

/// A service whose handler may make calls of its own.
private struct Relay: RPCService {
  static let relay = MethodDescriptor(service: "test.Relay", name: "Relay", kind: .unary)

  let handle: @Sendable (ServerContext) async throws -> String

  var methods: [MethodHandler] { [.unary(Self.relay, answer)] }

  @Sendable private func answer(_ request: Text, _ context: ServerContext) async throws -> Text {
    Text(try await handle(context))
  }
}

@Suite("Calls that a handler makes", .timeLimit(.minutes(1)))
struct InheritanceTests {
  @Test("a call within another inherits its deadline, a little earlier")
  func deadline() async throws {
    let inner = try InProcessChannel(services: [
      Relay { context in
        context.deadline.map { $0.remaining <= .seconds(60) ? "inherited" : "longer" } ?? "none"
      }
    ])
    let outer = try InProcessChannel(services: [
      Relay { context in
        let options = CallOptions(within: context)
        let answer = try await inner.call(Relay.relay, "x", options: options).message.text
        guard let own = context.deadline, let passedOn = options.deadline else { return answer }
        return "\(answer), earlier by \(own.instant - passedOn.instant)"
      }
    ])
    var options = CallOptions()
    #expect(try await outer.call(Relay.relay, "x", options: options).message.text == "none")
    options.timeout = .seconds(60)
    #expect(
      try await outer.call(Relay.relay, "x", options: options).message.text
        == "inherited, earlier by \(Duration.milliseconds(20))")
  }

  @Test("a call within another ends with it", arguments: Carrier.allCases)
  func cancellation(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let outer = try InProcessChannel(services: [
        Relay { context in
          let options = CallOptions(within: context)
          return try await world.channel.call(EchoService.wait, "x", options: options).message.text
        }
      ])
      let call = Task {
        await failure { _ = try await outer.call(Relay.relay, "x") }
      }
      await world.witness.saw("started")
      call.cancel()
      #expect(await call.value?.code == .cancelled)
      await world.witness.saw("cancelled")
    }
  }
}
