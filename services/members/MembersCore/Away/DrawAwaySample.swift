import Crypto
import Foundation
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// The maximum number of reports from which a sample is drawn: more than a county has.
  private static let populationMax = 20_000

  /// Draws a random sample of reports for phone checks, deterministic for a seed and a set of
  /// reports.
  public func drawAwaySample(
    _ request: DrawAwaySampleRequest, context: ServerContext
  ) async throws -> DrawAwaySampleResponse {
    var payload = request
    payload.requestID = ""
    let caller = try context.caller
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    let seed = checks.take { () throws(FieldFailure) in
      try PlainText.checked(request.seed, field: "seed", characters: 1...64)
    }
    if !(1...1_000).contains(request.count) {
      checks.add(
        "count", "OUT_OF_RANGE", LocalizedText(zh: "抽取数量应为 1 至 1000。", en: "count: 1 to 1,000."))
    }
    try checks.check()
    let range = try await subtree(of: request.ancestor, for: caller)
    let (now, count, drawSeed) = (clock.now, Int(request.count), seed ?? "")
    let reply = try await writeOnce(
      requestID ?? "", payload: try payload.wireBytes(), at: now, context
    ) {
      .read(AwayStore.population(of: range, limit: Self.populationMax)) { population in
        let drawn = AwaySample(seed: drawSeed).draw(count, of: population)
        var commit = Commit(at: now)
        for var report in drawn {
          report.sample = drawSeed
          report.version += 1
          AwayStore.update(report, into: &commit)
          commit.emit(try .changed(report))
        }
        let root = range.organizationID
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "awayReports.draw",
            target: root.isEmpty ? "organizations" : "organizations/\(root)", reason: drawSeed))
        var response = DrawAwaySampleResponse()
        response.reports = drawn.map { "awayReports/\($0.id)" }
        response.population = Int64(population.count)
        return .commit(commit, try response.wireBytes())
      }
    }
    return try DrawAwaySampleResponse(wireBytes: reply)
  }
}

/// A sample: the first reports in the order of a hash of seed and identifier, so that anybody with
/// the seed can reproduce it.
struct AwaySample: Sendable {
  let seed: String

  func draw(_ count: Int, of population: [StoredAwayReport]) -> [StoredAwayReport] {
    let lots = population.map { report in
      (lot: Array(SHA256.hash(data: Data("\(seed)\n\(report.id)".utf8))), report: report)
    }
    return lots.sorted { $0.lot.lexicographicallyPrecedes($1.lot) }.prefix(count).map(\.report)
  }
}
