import RPC
import Testing

@Suite("Many calls at once", .timeLimit(.minutes(1)))
struct ConcurrencyTests {
  /// Streams a server allows at once are 256 by default; the others wait their turn.
  @Test(
    "more calls than the server allows streams wait and pass", arguments: [1, 20_000, 300_000])
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
