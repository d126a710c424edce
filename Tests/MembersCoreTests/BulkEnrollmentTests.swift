import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("A stream of applications")
struct BulkEnrollmentTests {
  @Test("returns a result per record in their order, and invalid records do not stop it")
  func resultsInOrder() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let applications = (1...500).map { number in
        Applicant.application(number) { application in
          switch number % 10 {
          case 3: application.phone = "0"
          case 7: application.residentID = Applicant.residentID(number - 1)
          case 9: application.areas?.work = "110101"
          default: break
          }
        }
      }
      let results = try await harness.enroll(applications)
      #expect(results.map(\.row) == (1...500).map { Int64($0) })
      for result in results {
        switch (result.row % 10, result.result) {
        case (3, .error(let error)?):
          #expect(error.code == 3)
          #expect(error.reason == "INVALID_FIELDS")
          #expect(error.fieldViolations.map(\.field) == ["application.phone"])
          #expect(error.fieldViolations.map(\.reason) == ["INVALID_PHONE"])
          #expect(!error.message.isEmpty)
        case (9, .error(let error)?): #expect(error.reason == "NO_RECEIVER")
        case (3, _), (9, _), (_, .error?), (_, nil): Issue.record("row \(result.row): \(result)")
        case (_, .enrollment(let enrollment)?): #expect(enrollment.state == .received)
        }
      }
      // Of each ten, one phone is invalid, one area has no union, and one person exists already.
      #expect(try await harness.members().count == 350)
      #expect(try await harness.countsAgree())
      #expect(harness.database.statistics.commits < 350, "records share commits")
    }
  }

  @Test("of staff names the organization outside of their scope that receives a record's person")
  func routedElsewhere() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let lieshan = Caller.staff(names["lieshan"] ?? "", role: .clerk)
      _ = try await harness.submit(Applicant.application(2))
      for (language, text) in [
        ("zh-CN", "该申请应由“渠沟镇总工会”接收，不在您的管理范围内，请转交该组织。"),
        (
          "en",
          "渠沟镇总工会 receives this application, which is outside the scope that you may act in: "
            + "pass it on to them."
        ),
      ] {
        let results = try await harness.enroll(
          [Applicant.application(1), Applicant.application(2)], as: lieshan, language: language)
        let errors = results.compactMap { result -> RecordError? in
          if case .error(let error)? = result.result { error } else { nil }
        }
        #expect(errors.map(\.code) == [7, 7])
        #expect(errors.map(\.reason) == ["OUT_OF_SCOPE", "OUT_OF_SCOPE"])
        // It is the same for a person who is a member already and one who is not.
        #expect(errors.map(\.message) == [text, text])
      }
    }
  }

  @Test("records that arrive together and conflict are decided as if one by one")
  func related() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      // Of each four: a person, the same with the same request id, the same again with another one,
      // and somebody else with the same phone; and at last a request id that is used with another
      // payload.
      var requests = (0..<40).map { index in
        var request = EnrollMembersRequest()
        request.row = Int64(index)
        request.requestID = UUID().uuidString
        request.application = Applicant.application(index - index % 4)
        if index % 4 == 3 {
          request.application = Applicant.application(index) {
            $0.phone = Applicant.phone(index - 3)
          }
        }
        return request
      }
      for index in stride(from: 1, to: 40, by: 4) {
        requests[index].requestID = requests[index - 1].requestID
      }
      requests[39].requestID = requests[0].requestID
      let results = try await harness.enroll(requests)
      #expect(results.map(\.row) == (0..<40).map { Int64($0) })
      for index in stride(from: 0, to: 40, by: 4) {
        #expect(results[index].result == results[index + 1].result)
        #expect(results[index].result != results[index + 2].result)
      }
      guard case .error(let error)? = results[39].result else {
        throw Unexpected("the last record was taken: \(results[39])")
      }
      #expect(error.reason == "REQUEST_ID_REUSED")
      #expect(
        results.dropLast().allSatisfy { if case .enrollment? = $0.result { true } else { false } })
      #expect(try await harness.members().count == 19)
      #expect(try await harness.countsAgree())
      let cases = try await harness.database.read(
        Query<Int>.one("SELECT count(*) AS n FROM duplicate_cases WHERE kind = 'PHONE'") {
          try $0.int("n")
        })
      #expect(cases == 9, "who has another's phone is noticed within a batch too")
    }
  }

  @Test("a request id that came by one method is a retry by the other")
  func eitherMethod() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let ids = [UUID().uuidString, UUID().uuidString]
      let records = [1, 2, 3].map { number in
        EnrollMembersRequest.with {
          $0.row = Int64(number)
          $0.requestID = ids[min(number, 2) - 1]
          $0.application = Applicant.application(number)
        }
      }
      let single = SubmitEnrollmentRequest.with {
        $0.requestID = ids[0]
        $0.application = records[0].application
      }
      let first = try await harness.client(.partner()).submitEnrollment(single)
      let results = try await harness.enroll(records)
      #expect(results[0].result == first.enrollment.map { .enrollment($0) })
      guard case .enrollment? = results[1].result, case .error(let error)? = results[2].result
      else {
        throw Unexpected("\(results)")
      }
      #expect(error.reason == "REQUEST_ID_REUSED")
      #expect(try await harness.members().count == 2)
    }
  }

  @Test("a record that conflicts with a waiting one does not overtake it")
  func order() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      // The second has the first one's phone; the third is the second one's person with another
      // phone.
      let requests = [(1, 1), (2, 1), (2, 3)].enumerated().map { row, record in
        EnrollMembersRequest.with {
          $0.row = Int64(row)
          $0.requestID = UUID().uuidString
          $0.application = Applicant.application(record.0) {
            $0.phone = Applicant.phone(record.1)
          }
        }
      }
      let results = try await harness.enroll(requests)
      #expect(results.allSatisfy { if case .enrollment? = $0.result { true } else { false } })
      let cases = try await harness.database.read(
        Query<Int>.one("SELECT count(*) AS n FROM duplicate_cases WHERE kind = 'PHONE'") {
          try $0.int("n")
        })
      #expect(cases == 1, "the second was taken in before the third")
    }
  }

  @Test("answers a client that waits for each result before it sends the next record")
  func lockstep() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let call = try await harness.client(.partner()).enrollMembers()
      var results = call.responses.makeAsyncIterator()
      for number in 1...5 {
        var request = EnrollMembersRequest()
        request.requestID = UUID().uuidString
        request.row = Int64(number)
        request.application = Applicant.application(number)
        try await call.send(request)
        #expect(try await results.next()?.row == Int64(number))
      }
      try await call.finishSending()
      #expect(try await results.next() == nil)
    }
  }

  @Test(
    "a client that disconnects leaves complete records only, and continues by their request ids")
  func cancelled() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let requests = (1...300).map { number in
        var request = EnrollMembersRequest()
        request.requestID = UUID().uuidString
        request.row = Int64(number)
        request.application = Applicant.application(number)
        return request
      }
      let call = try await harness.client(.partner()).enrollMembers()
      async let sending: Void = { for request in requests { try await call.send(request) } }()
      var results = call.responses.makeAsyncIterator()
      for row in 1...40 { #expect(try await results.next()?.row == Int64(row)) }
      call.cancel()
      // Sending may have completed before.
      _ = try? await sending
      let again = try await harness.enroll(requests)
      #expect(again.count == 300)
      #expect(try await harness.members().count == 300)
      #expect(try await harness.countsAgree())
      let enrollments = try await harness.database.read(
        Query<Int>.one("SELECT count(*) AS n FROM enrollments") { try $0.int("n") })
      #expect(enrollments == 300, "an answered record is not enrolled twice")
    }
  }

  @Test("sent again, it returns the same results and creates no member")
  func replayed() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let requests = (1...200).map { number in
        var request = EnrollMembersRequest()
        request.requestID = UUID().uuidString
        request.row = Int64(number)
        request.application = Applicant.application(number)
        return request
      }
      let first = try await harness.enroll(requests)
      let second = try await harness.enroll(requests)
      let bytes = try [first, second].map { try $0.map { try $0.wireBytes() } }
      #expect(bytes[0] == bytes[1])
      #expect(try await harness.members().count == 200)
      // Request ids are separate for each caller.
      let other = try await harness.enroll(requests, as: .partner(2))
      #expect(Set(other.map(\.result)).isDisjoint(with: Set(first.map(\.result))))
      #expect(try await harness.members().count == 200)
    }
  }

  @Test("the seeds' ceremony: 55 riders, 115 couriers and 465 truck drivers are 635")
  func ceremony() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let applications = (1...635).map { number in
        Applicant.application(number) { application in
          application.group =
            number <= 55 ? .foodDeliveryRider : number <= 170 ? .courier : .truckDriver
          application.channel = .onSiteCeremony
          application.campaign = "集中入会"
        }
      }
      _ = try await harness.enroll(applications)
      let statistics = try await harness.client(.administrator)
        .getEnrollmentStatistics(GetEnrollmentStatisticsRequest())
      let counts = statistics.counts.map { ($0.group, $0.channel, $0.members) }
      #expect(statistics.liveMembers == 635)
      #expect(counts.map(\.1) == [.onSiteCeremony, .onSiteCeremony, .onSiteCeremony])
      #expect(counts.map(\.0) == [.truckDriver, .courier, .foodDeliveryRider])
      #expect(counts.map(\.2) == [465, 115, 55])
    }
  }
}
