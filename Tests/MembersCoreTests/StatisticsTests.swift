import Foundation
import GoogleType
import MembersV1
import ServiceKit
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Statistics are kept, and a recount says the same")
struct StatisticsTests {
  @Test("counts by day, subtree, group and channel equal a recount")
  func counted() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      for day in 0..<3 {
        _ = try await harness.enroll(
          (1...20).map { number in
            Applicant.application(day * 100 + number) {
              $0.group = number % 2 == 0 ? .truckDriver : .courier
              $0.channel = number % 5 == 0 ? .miniProgram : .unspecified
              if number > 15 { $0.areas?.work = "340604" }
            }
          })
        harness.clock.advance(days: 1)
      }
      #expect(try await harness.countsAgree())
      let client = try harness.client(.staff(names["xiangshan"] ?? "", role: .viewer))
      var request = GetEnrollmentStatisticsRequest()
      let all = try await client.getEnrollmentStatistics(request)
      #expect(all.liveMembers == 45)
      #expect(all.retainedMembers == 0)
      #expect(all.counts.map(\.members).reduce(0, +) == 45)
      #expect(Set(all.counts.map(\.channel)) == [.partner, .miniProgram])
      request.startDate = date(2026, 11, 22)
      request.endDate = date(2026, 11, 22)
      let day = try await client.getEnrollmentStatistics(request)
      #expect(day.counts.map(\.members).reduce(0, +) == 15)
      request.endDate = date(2026, 11, 21)
      #expect(try await client.getEnrollmentStatistics(request).counts.isEmpty)
      request.endDate = date(2026, 2, 30)
      #expect(
        try await refusal { try await client.getEnrollmentStatistics(request) }
          == "INVALID_FIELDS end_date=INVALID_DATE")
      request.endDate = nil
      request.ancestor = names["huaibei"] ?? ""
      #expect(
        try await refusal { try await client.getEnrollmentStatistics(request) } == "OUT_OF_SCOPE")
    }
  }

  private func date(_ year: Int32, _ month: Int32, _ day: Int32) -> GoogleType.Date {
    var date = GoogleType.Date()
    date.year = year
    date.month = month
    date.day = day
    return date
  }
}
