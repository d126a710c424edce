import Crypto
import Foundation
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// The number of reports read at a time.
  private static let populationPage = 5_000

  /// Draws a random sample of reports for phone checks, at the county or above. The service draws
  /// the seed, so that nobody chooses whom to check.
  public func drawAwaySample(
    _ request: DrawAwaySampleRequest, context: ServerContext
  ) async throws -> DrawAwaySampleResponse {
    var payload = request
    payload.requestID = ""
    let caller = try context.caller
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    if !(1...1_000).contains(request.count) {
      checks.add(
        "count", "OUT_OF_RANGE", LocalizedText(zh: "抽取数量应为 1 至 1000。", en: "must be 1 to 1,000."))
    }
    try checks.check()
    let range = try await subtree(of: request.ancestor, for: caller)
    guard try await database.read(StaffScope.query(of: caller)).isAtLeast(.county) else {
      throw MembersError.awayLevel
    }
    let sample = try await awaySample(Int(request.count), of: range)
    let now = clock.now
    let reply = try await writeOnce(
      requestID ?? "", payload: try payload.wireBytes(), at: now, context
    ) {
      .read(AwayStore.byIDs(sample.drawn)) { found in
        // Reports that changed since the draw, or were drawn by another one, are left out.
        let reports = found.filter { $0.isSampled(in: range) }.map(\.report)
        var commit = Commit(at: now)
        for var report in reports {
          report.sample = sample.seed
          report.version += 1
          AwayStore.update(report, into: &commit)
          commit.emit(try .changed(report))
        }
        let root = range.organizationID
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "awayReports.draw",
            target: root.isEmpty ? "organizations" : "organizations/\(root)",
            reason: sample.seed))
        let drawn = Set(reports.map(\.id))
        var response = DrawAwaySampleResponse()
        response.reports = sample.drawn.filter(drawn.contains).map { "awayReports/\($0)" }
        response.population = sample.population
        response.seed = sample.seed
        return .commit(commit, try response.wireBytes())
      }
    }
    return try DrawAwaySampleResponse(wireBytes: reply)
  }

  /// Draws from all reports of a subtree, read in pages; memory is bounded by the sample.
  private func awaySample(_ count: Int, of range: PathRange) async throws -> AwaySample {
    var sample = AwaySample(seed: ids.next(), count: count)
    var after: String? = ""
    while let place = after {
      let page = try await database.read(
        AwayStore.population(of: range, after: place, limit: Self.populationPage))
      for id in page { sample.add(id) }
      after = page.count < Self.populationPage ? nil : page.last
    }
    return sample
  }
}

extension PlacedAwayReport {
  /// Returns whether the report may be drawn for a sample of a subtree.
  fileprivate func isSampled(in range: PathRange) -> Bool {
    path.hasPrefix(range.first) && report.sample == nil && [.filed, .away].contains(report.state)
  }
}

/// A sample: the first reports in the order of a hash of seed and identifier, so that anybody with
/// the seed can reproduce it. Every report of the population has the same chance.
struct AwaySample: Sendable {
  let seed: String
  /// The number of reports to draw.
  let count: Int
  /// The number of reports from which was drawn.
  private(set) var population: Int64 = 0
  private var lots: [(lot: [UInt8], id: String)] = []

  init(seed: String, count: Int) { (self.seed, self.count) = (seed, count) }

  /// The drawn reports, in the order of the draw.
  var drawn: [String] { sorted.map(\.id) }

  mutating func add(_ id: String) {
    population += 1
    lots.append((Array(SHA256.hash(data: Data("\(seed)\n\(id)".utf8))), id))
    if lots.count >= 2 * count + 1_000 { lots = sorted }
  }

  private var sorted: [(lot: [UInt8], id: String)] {
    Array(lots.sorted { $0.lot.lexicographicallyPrecedes($1.lot) }.prefix(count))
  }
}
