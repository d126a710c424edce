import Foundation
import MembersV1
import RPC
import ServiceKit
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Who does what in the away ledger")
struct AwayLevelTests {
  @Test("villages record, townships review, counties sample and check, each another person")
  func levels() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await harness.submit(
        Applicant.application(1) { $0.areas?.work = "340603100201" }, as: .administrator
      ).member
      let client = { (organization: String, id: Int) in
        try harness.client(.staff(names[organization] ?? "", role: .clerk, id: id))
      }
      let village = try client("quegou-east", 1)
      let report = try #require(
        try await village.reportAway(AwayTests.report(member)).report)
      var review = ReviewAwayReportRequest()
      (review.requestID, review.name) = (UUID().uuidString, report.name)
      #expect(
        try await refusal { try await client("quegou-east", 2).reviewAwayReport(review) }
          == "AWAY_LEVEL")
      #expect(
        try await client("quegou", 2).reviewAwayReport(review).report?.state == .filed)
      var draw = DrawAwaySampleRequest()
      (draw.requestID, draw.count) = (UUID().uuidString, 1)
      #expect(
        try await refusal { try await client("quegou", 3).drawAwaySample(draw) } == "AWAY_LEVEL")
      let drawn = try await client("xiangshan", 3).drawAwaySample(draw)
      #expect(drawn.reports == [report.name])
      #expect(drawn.seed.count == 32)
      #expect(try await client("xiangshan", 3).drawAwaySample(draw) == drawn, "a retry")
      var list = ListAwayReportsRequest()
      list.sampledOnly = true
      #expect(
        try await client("xiangshan", 3).listAwayReports(list).reports.map(\.sampleSeed)
          == [drawn.seed])
      var check = RecordAwayCheckRequest()
      (check.requestID, check.name, check.result) = (UUID().uuidString, report.name, .confirmed)
      #expect(
        try await refusal { try await client("quegou", 4).recordAwayCheck(check) } == "AWAY_LEVEL")
      for (organization, id) in [("huaibei", 1), ("xiangshan", 2)] {
        #expect(
          try await refusal { try await client(organization, id).recordAwayCheck(check) }
            == "OWN_REPORT")
      }
      #expect(
        try await client("xiangshan", 3).recordAwayCheck(check).report?.checkResult == .confirmed)
    }
  }

  @Test("whoever corrects a report has recorded it, and does not review it")
  func corrected() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let client = { (id: Int) in
        try harness.client(.staff(names["quegou"] ?? "", role: .clerk, id: id))
      }
      let plan = AwayTests.report(member)
      let report = try await client(1).reportAway(plan).report
      var review = ReviewAwayReportRequest()
      (review.requestID, review.name) = (UUID().uuidString, report?.name ?? "")
      (review.sendBack, review.note) = (true, "联系电话有误")
      _ = try await client(2).reviewAwayReport(review)
      var fix = FixAwayReportRequest()
      (fix.requestID, fix.name) = (UUID().uuidString, review.name)
      (fix.departureDate, fix.returnDate, fix.details) =
        (plan.departureDate, plan.returnDate, plan.details)
      _ = try await client(2).fixAwayReport(fix)
      (review.requestID, review.sendBack) = (UUID().uuidString, false)
      #expect(try await refusal { try await client(2).reviewAwayReport(review) } == "OWN_REPORT")
    }
  }

  @Test("every report has the same chance, however many there are, and the seed reproduces it")
  func fair() {
    var counts = [Int](repeating: 0, count: 10)
    for seed in 0..<60 {
      var sample = AwaySample(seed: "\(seed)", count: 100)
      for number in 0..<30_000 { sample.add(hexID(number)) }
      #expect(sample.population == 30_000)
      let drawn = sample.drawn
      #expect(drawn.count == 100)
      for id in drawn { counts[(Int(id, radix: 16) ?? 0) / 3_000] += 1 }
      var other = AwaySample(seed: "\(seed)", count: 100)
      if seed == 0 {
        for number in (0..<30_000).reversed() { other.add(hexID(number)) }
        #expect(other.drawn == drawn, "in any order")
      }
    }
    // 6,000 draws in 10 equal parts: 600 each, with a standard deviation of 23.
    #expect(counts.allSatisfy { (480...720).contains($0) }, "\(counts)")
  }
}
