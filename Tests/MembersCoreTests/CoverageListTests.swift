import Foundation
import GoogleType
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Coverage of the organizations below one")
struct CoverageListTests {
  @Test("one call lists the coverage of every child, and the table has the same figures")
  func children() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let enroll = { (numbers: ClosedRange<Int>) in
        _ = try await harness.enroll(
          numbers.map { number in
            Applicant.application(number) {
              $0.channel = number % 2 == 0 ? .onSiteCeremony : .miniProgram
              if number % 3 == 0 { $0.areas?.work = "340604" }
            }
          })
      }
      try await enroll(1...6)
      try await harness.service.foldCounters()
      try await enroll(7...9)
      let client = try harness.client(.staff(names["huaibei"] ?? ""))
      var base = SetBaseRequest()
      for (people, year) in [(8, 2024), (12, 2025)] as [(Int64, Int32)] {
        base.requestID = UUID().uuidString
        base.base = .with {
          $0.organization = names["xiangshan"] ?? ""
          $0.people = people
          $0.source = "人社局, 调查"
          $0.date = .with { ($0.year, $0.month, $0.day) = (year, 12, 31) }
        }
        _ = try await client.setBase(base)
      }
      var target = SetCoverageTargetRequest()
      target.requestID = UUID().uuidString
      target.target = .with {
        $0.organization = names["xiangshan"] ?? ""
        $0.basisPoints = 9_500
      }
      _ = try await client.setCoverageTarget(target)
      var request = ListCoveragesRequest()
      request.pageSize = 2
      var found: [OrganizationCoverage] = []
      repeat {
        let page = try await client.listCoverages(request)
        found += page.coverages
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty
      #expect(found.map(\.externalID) == ["huaibei-pool", "lieshan", "xiangshan"])
      #expect(found.map(\.members) == [3, 0, 6])
      #expect(found.map(\.onlineMembers) == [2, 0, 3])
      #expect(found.last?.base?.people == 12, "the newest")
      #expect(found.last?.coverageBasisPoints == 5_000)
      #expect(found.last?.peopleNeeded == 6)
      for coverage in found {
        let one = try await client.getCoverage(.with { $0.organization = coverage.organization })
        #expect(one.members == coverage.members)
        #expect(one.onlineMembers == coverage.onlineMembers)
      }
      request.group = .truckDriver
      #expect(try await client.listCoverages(request).coverages.map(\.members) == [0, 0])
      var lines: [String] = []
      let parts = try await client.exportCoverages(ExportCoveragesRequest())
      var bytes: [UInt8] = []
      for try await part in parts { bytes += part.csv }
      lines = String(decoding: bytes.dropFirst(3), as: UTF8.self).components(separatedBy: "\r\n")
      #expect(lines.count == 6, "a header, the city, three children and the end")
      #expect(
        lines[1] == "huaibei,淮北市总工会,2026-11-21,ALL,9,5,4,55.55,0,,,,,,,")
      #expect(
        lines[4] == """
          xiangshan,相山区总工会,2026-11-21,ALL,6,3,3,50.00,0,12,,2025-12-31,"人社局, 调查",\
          50.00,95.00,6
          """)
    }
  }
}
