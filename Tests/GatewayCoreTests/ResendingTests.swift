import RPC
import RPCInProcess
import Testing

@testable import GatewayCore

@Suite("Retries", .bothWays)
struct ResendingTests {
  @Test("every failure × kind of method × attempt × budget has the verdict of the table")
  func table() {
    for failure in Resending.Failure.allCases {
      for isIdempotent in [false, true] {
        for mayRetry in [false, true] {
          var state = Resending(isIdempotent: isIdempotent)
          var verdicts: [Resending.Verdict] = []
          for _ in 0..<3 {
            verdicts.append(
              state.verdict(on: failure, mayRetry: { mayRetry }, random: { 0.5 }))
          }
          let expected: [Resending.Verdict] =
            switch (failure, isIdempotent, mayRetry) {
            case (.unprocessed, _, _): [.atOnce, .atOnce, .giveUp]
            case (_, true, true):
              [.after(.microseconds(12_500)), .after(.milliseconds(25)), .giveUp]
            default: [.giveUp, .giveUp, .giveUp]
            }
          #expect(verdicts == expected, "\(failure) \(isIdempotent) \(mayRetry)")
        }
      }
    }
  }

  @Test("the budget is used only if the verdict depends on it")
  func budgetIsSpared() {
    var asked = 0
    func ask() -> Bool {
      asked += 1
      return true
    }
    var state = Resending(isIdempotent: false)
    _ = state.verdict(on: .lost, mayRetry: ask, random: { 0 })
    _ = state.verdict(on: .unprocessed, mayRetry: ask, random: { 0 })
    #expect(asked == 0)
  }

  @Test("a fifth of many calls may be retries, plus a reserve")
  func budget() {
    let budget = RetryBudget()
    var retries = 0
    for _ in 0..<10_000 {
      budget.deposit()
      if budget.withdraw() { retries += 1 }
    }
    #expect(retries == 2_000 + RetryBudget.reserve - 1 || retries == 2_000 + RetryBudget.reserve)
    let rested = RetryBudget()
    for _ in 0..<10_000 { rested.deposit() }
    #expect((0..<1_000).filter { _ in rested.withdraw() }.count == RetryBudget.reserve)
  }

  @Test("the traits of methods follow from the contracts")
  func traits() throws {
    var all: [String: MethodTraits] = [:]
    for contract in Contract.all {
      all.merge(try MethodTraits.all(of: contract)) { $1 }
    }
    let members = "/yijia.members.v1.MembersService/"
    let get = MethodTraits(isIdempotent: true, takesOneMessage: true)
    #expect(all[members + "GetMember"] == get)
    #expect(all[members + "SubmitEnrollment"] == get, "it has a request_id")
    let stream = MethodTraits(isIdempotent: false, takesOneMessage: false)
    #expect(all[members + "EnrollMembers"] == stream)
    #expect(all.count == Contract.all.flatMap(\.methods).count)
  }

  /// A channel of callers to a gateway in front of a backend.
  private func edge(_ backend: some ExchangeHandler) throws -> InProcessChannel {
    let inner = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [backend]))
    return try TestGateway(inner).edge()
  }

  private func outcome(
    _ backend: some ExchangeHandler, path: String = Self.idempotent, body: Int = 5
  ) async throws -> RPCError? {
    let exchange = try await edge(backend).openExchange(
      RequestHead(path: path, metadata: TestCaller.administrator.metadata))
    // A call that is refused at once may not accept a body.
    let length = body - 5
    let prefix = (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) }
    let message = [0] + prefix + [UInt8](repeating: 0, count: length)
    try? await exchange.send(message)
    await exchange.finish()
    return try await exchange.outcome()
  }

  private static let idempotent = "/yijia.members.v1.MembersService/GetMember"

  @Test("an idempotent method is retried after UNAVAILABLE before a response")
  func refused() async throws {
    for answer in [
      [":status": "200", "content-type": "application/grpc", "grpc-status": "14"],
      [":status": "503", "content-type": "text/plain"],
    ] as [HeaderList] {
      let backend = FlakyBackend(answer: answer, refusals: 2)
      #expect(try await outcome(backend) == nil)
      #expect(
        backend.heads.value.map { $0.fields["grpc-previous-rpc-attempts"] } == [nil, "1", "2"])
    }
  }

  @Test("there are at most three attempts; then the service's own response is forwarded")
  func exhausted() async throws {
    let answer: HeaderList = [
      ":status": "200", "content-type": "application/grpc", "grpc-status": "14",
      "grpc-message": "not now",
    ]
    let backend = FlakyBackend(answer: answer, refusals: .max)
    let error = try await outcome(backend)
    #expect(error?.code == .unavailable)
    #expect(error?.message == "not now")
    #expect(backend.heads.value.count == 3)
  }

  @Test(
    "a call that may have been processed, is not idempotent, or has pushback is not retried"
  )
  func notRepeated() async throws {
    let unavailable: HeaderList = [
      ":status": "200", "content-type": "application/grpc", "grpc-status": "14",
    ]
    let opaque = FlakyBackend(answer: unavailable, refusals: 1)
    #expect(try await outcome(opaque, path: TestGateway.echoPath)?.code == .unavailable)
    #expect(opaque.heads.value.count == 1)
    var pushed = unavailable
    pushed.add("grpc-retry-pushback-ms", "100")
    let pushing = FlakyBackend(answer: pushed, refusals: 1)
    #expect(try await outcome(pushing)?.code == .unavailable)
    #expect(pushing.heads.value.count == 1)
    var other = unavailable
    other.set("grpc-status", "13")
    let broken = FlakyBackend(answer: other, refusals: 1)
    #expect(try await outcome(broken)?.code == .internalError)
    #expect(broken.heads.value.count == 1)
  }

  @Test("a request longer than the buffer is forwarded, but not retried")
  func long() async throws {
    let answer: HeaderList = [
      ":status": "200", "content-type": "application/grpc", "grpc-status": "14",
    ]
    let backend = FlakyBackend(answer: answer, refusals: 1)
    #expect(try await outcome(backend, body: 1 << 20)?.code == .unavailable)
    #expect(backend.heads.value.count == 1)
    #expect(backend.bytes.value == 1 << 20)
  }

  private static let stream = RequestHead(
    path: "/grpc.testing.TestService/FullDuplexCall", metadata: TestCaller.partner.metadata)

  @Test(
    "a stream that was certainly not processed begins anew with what was read of it, twice",
    arguments: [1, 2, 3])
  func refusedStream(refusals: Int) async throws {
    let backend = ResettingBackend(code: .refusedStream, refusals: refusals, bytesMin: 6)
    let exchange = try await edge(backend).openExchange(Self.stream)
    try await exchange.send([0, 0, 0, 0, 1, 7])
    await backend.seen.reaches(refusals)
    // After the last attempt, the call may have ended.
    try? await exchange.send([0, 0, 0, 0, 1, 8])
    await exchange.finish()
    let reason = try await exchange.outcome()?.gatewayReason
    #expect(reason == (refusals < 3 ? nil : "BACKEND_UNAVAILABLE"))
    #expect(backend.seen.value == min(refusals + 1, 3))
    if refusals < 3 { #expect(backend.body.value == [0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 1, 8]) }
  }

  @Test("a stream of which more was read than is kept does not begin anew")
  func longStream() async throws {
    let bytes = 3 * ForwardedRequest.keptBytesMax
    let backend = ResettingBackend(code: .refusedStream, refusals: 1, bytesMin: bytes)
    let exchange = try await edge(backend).openExchange(Self.stream)
    let length = [UInt8(2 * bytes >> 16), UInt8(2 * bytes >> 8 & 255), UInt8(2 * bytes & 255)]
    // It waits for room, and ends with the call.
    try? await exchange.send([0, 0] + length + [UInt8](repeating: 0, count: 2 * bytes))
    #expect(try await exchange.outcome()?.gatewayReason == "BACKEND_UNAVAILABLE")
    #expect(backend.seen.value == 1)
  }

  @Test("a caller that stops in the middle of a request gets DEADLINE_EXCEEDED")
  func halfRequest() async throws {
    let backend = FlakyBackend(answer: [":status": "503"], refusals: 0)
    let exchange = try await edge(backend).openExchange(
      RequestHead(
        path: Self.idempotent, metadata: TestCaller.administrator.metadata,
        timeout: .milliseconds(100)))
    // On a busy machine the deadline may have passed by now.
    try? await exchange.send([0, 0, 0, 0, 9, 1])
    #expect(try await exchange.outcome()?.gatewayReason == "DEADLINE_EXCEEDED")
    #expect(backend.heads.value.isEmpty)
  }
}

/// A backend that refuses the first calls and answers the others with OK.
private struct FlakyBackend: ExchangeHandler {
  let answer: HeaderList
  let refusals: Int
  let heads = Shared<[RequestHead]>([])
  let bytes = Shared(0)

  func claims(_ head: RequestHead) -> Bool { true }

  func serve(_ exchange: ServerExchange) async {
    heads.update { $0.append(exchange.head) }
    while let chunk = try? await exchange.nextChunk() { bytes.update { $0 += chunk.count } }
    let isRefused = heads.value.count <= refusals
    await exchange.sendHead(
      isRefused
        ? answer
        : [":status": "200", "content-type": "application/grpc", "grpc-status": "0"],
      endsStream: true)
  }
}
