import RPC
import Testing

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
}
