import ArgumentParser
import MembersV1
import RPCTransport

/// The suite to call, with the number of concurrent callers and connections.
struct Traffic: ParsableArguments {
  @Option(help: "Connection file, as `yijia dev` writes it.")
  var connection = ".dev/connection.json"

  @Option(help: "Callers at once, where each call is one by one.")
  var callers = 64

  @Option(help: "Connections that they share; a stream on each.")
  var connections = 4

  func validate() throws {
    guard callers >= connections, connections > 0 else {
      throw ValidationError("connections are positive; callers are as many or more")
    }
  }

  /// Calls `body` with one client per connection, all on one event loop, then closes the
  /// connections.
  func run(_ body: (Suite, [MembersServiceClient]) async throws -> Void) async throws {
    let suite = try Suite(contentsOf: connection)
    let loops = EventLoops(threads: 1)
    let channels = try (0..<connections).map { _ in try suite.channel(loops) }
    try await body(suite, channels.map { MembersServiceClient($0) })
    for channel in channels { await channel.shutdown() }
    try await loops.shutdown()
  }
}
