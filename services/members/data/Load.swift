import ArgumentParser
import Foundation
import MembersCore
import MembersV1
import RPC

/// Enrolls generated people through a running gateway and measures the rate, unary or streaming.
struct Load: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Enroll invented people through a running suite's gateway, as its partner.",
    discussion: """
      One line a figure: `unary-rate` and `stream-rate` a second, `unary-p50` and `unary-p99` in \
      µs. Every enrollment is a new person and durable before it is answered.
      Example: members-data load --connection .dev/connection.json --calls 20000 --mode unary
      """)

  enum Mode: String, ExpressibleByArgument, CaseIterable { case unary, stream }

  @OptionGroup var traffic: Traffic

  @Option(help: "How many enrollments.")
  var calls = 20_000

  @Option(help: "One by one (SubmitEnrollment) or as streams (EnrollMembers).")
  var mode = Mode.unary

  @Option(help: "Number of the first person; runs with other numbers enroll other people.")
  var first = 0

  @Option(help: "What the people follow from.")
  var seed: UInt64 = 1

  @Option(help: "Region code of the work area.")
  var area = "130302005"

  func validate() throws {
    guard calls > 0 else { throw ValidationError("calls are positive") }
    guard first >= 0, first + calls <= EnrollmentApplication.sampleCount else {
      throw ValidationError("there are \(EnrollmentApplication.sampleCount) invented people")
    }
  }

  func run() async throws {
    try await traffic.run { suite, clients in
      // Warms up connections, tokens and caches before the measurement.
      for client in clients { try await warm(client, suite.partner) }
      switch mode {
      case .unary: try await unary(clients, suite.partner)
      case .stream: try await streams(clients, suite.partner)
      }
    }
  }

  /// Enrolls a person who is already enrolled after the first run, which passes every stage without
  /// a new row.
  private func warm(_ client: MembersServiceClient, _ options: CallOptions) async throws {
    var request = SubmitEnrollmentRequest()
    request.requestID = "00000000-0000-4000-8000-000000000000"
    request.application = .sample(EnrollmentApplication.sampleCount - 1, seed: 0, workArea: area)
    _ = try await client.submitEnrollment(request, options: options)
  }

  private func request(_ index: Int) -> (id: String, application: EnrollmentApplication) {
    (
      UUID().uuidString.lowercased(),
      .sample(first + index, seed: seed, workArea: area)
    )
  }

  private func unary(_ clients: [MembersServiceClient], _ options: CallOptions) async throws {
    let figures = try await Callers(clients: clients, callers: traffic.callers).run(calls) {
      index, client in
      var request = SubmitEnrollmentRequest()
      (request.requestID, request.application) = self.request(index)
      let start = ContinuousClock.now
      _ = try await client.submitEnrollment(request, options: options)
      return ContinuousClock.now - start
    }
    figures.tell("unary")
  }

  private func streams(_ clients: [MembersServiceClient], _ options: CallOptions) async throws {
    let share = calls / clients.count
    let start = ContinuousClock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (number, client) in clients.enumerated() {
        group.addTask { try await stream(number * share..<(number + 1) * share, client, options) }
      }
      try await group.waitForAll()
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    report("stream-rate", Double(share * clients.count) / seconds)
  }

  /// Runs one stream; records are sent as fast as flow control allows.
  private func stream(
    _ people: Range<Int>, _ client: MembersServiceClient, _ options: CallOptions
  ) async throws {
    let call = try await client.enrollMembers(options: options)
    async let sending: Void = {
      for index in people {
        var request = EnrollMembersRequest()
        (request.requestID, request.application) = self.request(index)
        request.row = Int64(index)
        try await call.send(request)
      }
      try await call.finishSending()
    }()
    var answered = 0
    for try await response in call.responses {
      if case .error(let error) = response.result {
        throw RPCError(.unknown, "record \(response.row): \(error.reason) \(error.message)")
      }
      answered += 1
    }
    try await sending
    guard answered == people.count else {
      throw RPCError(.unavailable, "the stream ended before its last answer")
    }
  }
}
