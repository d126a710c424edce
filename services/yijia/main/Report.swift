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
    try await explained {
      let visits = try Self.visits()
      try await connection.with(.kiosk) { client in
        let report = VisitReport(epoch: UUID().uuidString.lowercased())
        let result = try await report.run(client, visits: visits)
        Terminal.say(
          Terminal.text(
            zh: "已确认 \(result.acknowledged) 次到访，搁置 \(result.notices.count) 次。",
            en: "\(counted(result.acknowledged, "visit")) acknowledged, "
              + "\(result.notices.count) set aside."))
      }
    }
  }

  /// Reads all visits before the first is reported.
  ///
  /// - Throws: ``ConfigurationError`` naming the first line that is none.
  private static func visits() throws -> [ReportedVisit] {
    var (visits, number): ([ReportedVisit], Int) = ([], 0)
    while let line = readLine() {
      number += 1
      let words = line.split(separator: " ")
      guard let last = words.last else { continue }
      let isDeparture = words[0] == "out"
      guard words.count == (isDeparture ? 2 : 1) else {
        throw ConfigurationError(
          zh: "第 \(number) 行：应为一个会员码、“-”，或“out 会员码”；没有上报任何到访",
          en: "line \(number): a code, -, or out CODE is expected; no visit was reported")
      }
      var visit = ReportedVisit()
      visit.deviceTime = Timestamp(microseconds: Clock.system.microseconds)
      visit.direction = isDeparture ? .departure : .arrival
      visit.memberCode = last == "-" ? "" : String(last)
      visits.append(visit)
    }
    return visits
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
