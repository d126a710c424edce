import ArgumentParser
import MembersCore
import MembersV1
import Protobuf
import RPC

/// Measures reads of generated members through a running suite.
struct Ask: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Read invented members of a running suite through its gateway, as staff.",
    discussion: """
      The members are those that `make` stored with the same number and seed, at random: by name \
      (`get`, GetMember), or by resident ID (`lookup`, ListMembers); `coverage` asks for that of \
      the federation that all of them belong to. One line a figure: a second, and p50 and p99 in µs.
      Example: members-data ask --connection .dev/connection.json --members 10000 --mode get
      """)

  enum Mode: String, ExpressibleByArgument, CaseIterable { case get, lookup, coverage }

  @OptionGroup var traffic: Traffic

  @Option(help: "How many members there are.")
  var members: Int

  @Option(help: "What to ask for.")
  var mode = Mode.get

  @Option(help: "How many calls.")
  var calls = 20_000

  @Option(help: "What the members follow from.")
  var seed: UInt64 = 1

  func validate() throws {
    guard calls >= traffic.callers, members > 0 else {
      throw ValidationError("members are positive, and calls as many as callers or more")
    }
  }

  func run() async throws {
    try await traffic.run { suite, clients in
      let all = Callers(clients: clients, callers: traffic.callers)
      // Warms up connections, prepared statements and caches before the measurement.
      _ = try await all.run(max(traffic.callers, calls / 10)) { _, client in
        try await ask(client, suite.staff)
      }
      let figures = try await all.run(calls) { _, client in try await ask(client, suite.staff) }
      figures.tell(mode.rawValue)
    }
  }

  /// - Returns: The latency, without the construction of the request.
  private func ask(
    _ client: MembersServiceClient, _ options: CallOptions
  ) async throws -> Duration {
    let sample = SampleRequests(index: .random(in: 0..<members), of: members, seed: seed)
    switch mode {
    case .get:
      let request = sample.get
      return try await timed { try await client.getMember(request, options: options) }
    case .lookup:
      let request = sample.lookup
      return try await timed {
        let response = try await client.listMembers(request, options: options)
        guard response.members.count == 1 else {
          throw RPCError(.notFound, "member \(sample.index) of \(members) is not there")
        }
      }
    case .coverage:
      let request = sample.coverage
      return try await timed { try await client.getCoverage(request, options: options) }
    }
  }

  private func timed<Result>(_ call: () async throws -> Result) async throws -> Duration {
    let start = ContinuousClock.now
    _ = try await call()
    return ContinuousClock.now - start
  }
}
