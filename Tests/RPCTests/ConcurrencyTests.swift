import RPC
import Synchronization
import Testing

/// A service whose handlers keep their loop busy.
private final class BusyService: RPCService {
  static let spin = MethodDescriptor(service: "test.Busy", name: "Spin", kind: .unary)
  static let work = MethodDescriptor(service: "test.Busy", name: "Work", kind: .unary)

  /// Counts the calls whose state is kept.
  final class Kept: Sendable {
    let count = Mutex((now: 0, most: 0))
  }

  /// A part of a call's state.
  final class Part: Sendable {
    private let kept: Kept

    init(_ kept: Kept) {
      self.kept = kept
      kept.count.withLock { count in
        count.now += 1
        count.most = max(count.most, count.now)
      }
    }

    deinit { kept.count.withLock { $0.now -= 1 } }
  }

  enum PartKey: ContextKey { typealias Value = Part }

  let witness = Witness()
  let isOver = Atomic(false)
  private let kept = Kept()

  /// The most calls whose state was kept at a time.
  var mostKept: Int { kept.count.withLock { $0.most } }

  var methods: [MethodHandler] { [.unary(Self.spin, spin), .unary(Self.work, work)] }

  /// Always has a next job for its loop, until it is told to end. It gives up before the time limit
  /// of the tests: a machine with other work may be slow, and this is no measure of it.
  @Sendable private func spin(_ request: Text, _ context: ServerContext) async throws -> Text {
    witness.note("spinning")
    let end = ContinuousClock.now + .seconds(50)
    while !isOver.load(ordering: .relaxed) {
      if ContinuousClock.now > end { return "told too late" }
      await Task.yield()
    }
    return request
  }

  /// Leaves the loop to others once, then takes a millisecond.
  @Sendable private func work(_ request: Text, _ context: ServerContext) async throws -> Text {
    context[PartKey.self] = Part(kept)
    await Task.yield()
    let end = ContinuousClock.now + .milliseconds(1)
    while ContinuousClock.now < end {}
    return request
  }
}

@Suite("Many calls at once", .timeLimit(.minutes(1)))
struct ConcurrencyTests {
  /// A server allows 256 concurrent streams by default; further calls wait.
  @Test(
    "more calls than the server allows streams wait and succeed", arguments: [1, 20_000, 300_000])
  func waiting(_ bytes: Int) async throws {
    try await World.with(.sockets) { world in
      let text = String(repeating: "x", count: bytes)
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for _ in 0..<300 {
          group.addTask { try await world.channel.echo(text) == text }
        }
        for try await isRight in group { #expect(isRight) }
      }
    }
  }

  @Test("a response leaves although its loop always has a next job")
  func busyLoop() async throws {
    let busy = BusyService()
    try await World.with(.sockets, services: [busy]) { world in
      async let spun = world.channel.call(BusyService.spin, "x")
      await busy.witness.saw("spinning")
      #expect(try await world.channel.echo("y") == "y")
      busy.isOver.store(true, ordering: .relaxed)
      let answer = try await spun.message.text
      #expect(answer == "x")
    }
  }

  @Test("calls that have ended are not kept while others wait for their turn")
  func backlog() async throws {
    let busy = BusyService()
    try await World.with(.sockets, services: [busy]) { world in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<64 {
          group.addTask {
            for _ in 0..<5 { _ = try await world.channel.call(BusyService.work, "x") }
          }
        }
        try await group.waitForAll()
      }
    }
    // More arrive in a turn of the loop than end in it, so that there are always some that wait.
    #expect(busy.mostKept <= 160, "of 320 calls, 64 at a time")
  }
}
