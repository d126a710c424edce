import ArgumentParser
import Foundation
import MembersCore
import MembersV1
import Protobuf
import RPC
import RPCTransport

/// Compares a generated roster with the members of a running suite, measuring rows per second, and
/// reads the coverage of the whole tree.
struct Roster: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare a roster with invented members through a suite's gateway, as staff.",
    discussion: """
      The members are those that `make` stored with the same number and seed; four rows of \
      five are of members, with their names, one is of somebody else. One line a figure: \
      `roster-rate` rows a second, `coverage-p50` of GetCoverage over the whole tree in µs.
      Example: members-data roster --connection .dev/connection.json --members 1000000
      """)

  /// The number of rows per message: the maximum allowed by the API.
  private static let rowsPerMessage = 4_096
  private static let coverageCalls = 501

  @Option(help: "Connection file, as `yijia dev` writes it.")
  var connection = ".dev/connection.json"

  @Option(help: "How many members there are.")
  var members: Int

  @Option(help: "How many rows; as many as members when 0.")
  var rows = 0

  @Option(help: "What the members follow from.")
  var seed: UInt64 = 1

  func run() async throws {
    let suite = try Suite(contentsOf: connection)
    let loops = EventLoops(threads: 1)
    let channel = try suite.channel(loops)
    let client = MembersServiceClient(channel)
    let count = rows == 0 ? members : rows
    try await coverage(client, suite.staff)
    // Built before the measurement.
    let messages = try stride(from: 0, to: count, by: Self.rowsPerMessage).map { first in
      try message(first..<min(first + Self.rowsPerMessage, count))
    }
    let start = ContinuousClock.now
    let summary = try await compare(messages, of: count, client, suite.staff)
    report("roster-rate", Double(count) / ((ContinuousClock.now - start) / .seconds(1)))
    for count in summary.counts { report("verdict-\(count.verdict.rawValue)", Double(count.rows)) }
    await channel.shutdown()
    try await loops.shutdown()
  }

  private func message(_ rows: Range<Int>) throws -> CompareRosterRequest {
    .with {
      $0.part = .rows(
        .with {
          $0.rows = rows.map { row in
            let index = row % 5 == 4 ? members + row : row % members
            return .sample(index, row: row, of: members, seed: seed)
          }
        })
    }
  }

  private func compare(
    _ messages: [CompareRosterRequest], of count: Int, _ client: MembersServiceClient,
    _ options: CallOptions
  ) async throws -> RosterSummary {
    let call = try await client.compareRoster(options: options)
    async let sending: Void = {
      try await call.send(.with { $0.part = .header(.with { $0.purpose = "性能测量" }) })
      for message in messages { try await call.send(message) }
      try await call.finishSending()
    }()
    var summary = RosterSummary()
    var (compared, told) = (0, 0)
    for try await response in call.responses {
      switch response.part {
      case .summary(let last)?: summary = last
      case .results(let part)?: compared += part.results.count
      case nil: break
      }
      if (compared - told) * 10 >= count {
        note("rows compared \(compared) of \(count)")
        told = compared
      }
    }
    try await sending
    return summary
  }

  private func coverage(_ client: MembersServiceClient, _ options: CallOptions) async throws {
    var times: [Duration] = []
    for _ in 0..<Self.coverageCalls {
      let start = ContinuousClock.now
      _ = try await client.getCoverage(GetCoverageRequest(), options: options)
      times.append(ContinuousClock.now - start)
    }
    report("coverage-p50", times.sorted()[Self.coverageCalls / 2] / .microseconds(1))
  }
}
