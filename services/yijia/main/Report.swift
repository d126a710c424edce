import ArgumentParser
import Foundation
import GoogleProtobuf
import RPC
import ServiceKit
import StationsV1

struct Report: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Report visits, as the kiosk of the connection file.",
    discussion: """
      Reads one visit a line from standard input: a member's own code, "-" for an anonymous visit, \
      or "out CODE" when somebody leaves. Ends when the input ends and every visit is acknowledged.
      Example: printf 'CODE1\\nCODE2\\n-\\n' | yijia report
      """)

  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    var visits: [ReportedVisit] = []
    while let line = readLine() {
      let words = line.split(separator: " ")
      guard let last = words.last else { continue }
      var visit = ReportedVisit()
      visit.deviceTime = Timestamp(microseconds: Clock.system.microseconds)
      visit.direction = words.count > 1 && words[0] == "out" ? .departure : .arrival
      visit.memberCode = last == "-" ? "" : String(last)
      visits.append(visit)
    }
    let reported = visits
    try await connection.with(.kiosk) { client in
      let report = VisitReport(epoch: UUID().uuidString.lowercased())
      let result = try await report.run(client, visits: reported)
      Terminal.say("\(result.acknowledged) visits acknowledged, \(result.notices.count) set aside.")
    }
  }
}

/// Reports visits on one stream, continuing after the epoch's acknowledged sequence.
struct VisitReport {
  struct Result {
    /// Sequence of the last durable visit.
    var acknowledged: Int64 = 0
    var notices: [VisitNotice] = []
  }

  /// Epoch of the spool: a UUID.
  let epoch: String

  /// Sends `visits` as the next ones of the epoch; returns when all are acknowledged.
  func run(_ client: SuiteClient, visits: [ReportedVisit]) async throws -> Result {
    let call = try await client.stations.reportVisits(options: client.options)
    var hello = ReportHello()
    hello.spoolEpoch = epoch
    hello.deviceTime = Timestamp(microseconds: Clock.system.microseconds)
    hello.softwareVersion = "yijia-cli/1.0"
    var first = ReportVisitsRequest()
    first.message = .hello(hello)
    try await call.send(first)
    var responses = call.responses.makeAsyncIterator()
    guard let answer = try await responses.next() else {
      throw RPCError(.unavailable, "the stream ended before the hello was answered")
    }
    let start = answer.acknowledgedSequence
    let last = start + Int64(visits.count)
    async let sending: Void = send(visits, from: start + 1, on: call)
    var result = Result(acknowledged: start)
    while result.acknowledged < last, let response = try await responses.next() {
      result.acknowledged = response.acknowledgedSequence
      result.notices += response.notices
    }
    try await sending
    guard result.acknowledged == last else {
      throw RPCError(.unavailable, "the stream ended before every visit was acknowledged")
    }
    return result
  }

  private func send(
    _ visits: [ReportedVisit], from first: Int64,
    on call: BidirectionalCall<ReportVisitsRequest, ReportVisitsResponse>
  ) async throws {
    let ids = StableRequestID(Data(epoch.utf8))
    for (index, visit) in visits.enumerated() {
      var visit = visit
      visit.sequence = first + Int64(index)
      visit.visitID = ids.id("visit \(visit.sequence)")
      var request = ReportVisitsRequest()
      request.message = .visit(visit)
      try await call.send(request)
    }
    try await call.finishSending()
  }
}
