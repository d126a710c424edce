import Foundation
import MembersV1
import ServiceKit
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("A dry run of an enrollment")
struct DryRunTests {
  @Test("tells staff nothing of members, closed memberships and applicants elsewhere")
  func hidesOthers() async throws {
    try await Harness.run(ReviewTests.configuration) { harness in
      let names = try await harness.plantTree()
      var first: [String] = []
      for number in 1...3 {
        // Everybody waits for approval in Xiangshan; the third one still does.
        let enrollment = try await harness.submit(
          Applicant.application(number), as: .administrator)
        guard number < 3 else { continue }
        first.append(try await harness.approve(enrollment, as: .administrator).member)
      }
      try await harness.end(first[1], as: .expelled)
      let far = Caller.staff(names["lieshan"] ?? "", role: .clerk, id: 3)
      var told: [EnrollMembersResponse.Result] = []
      for number in 1...4 {
        let elsewhere = Applicant.application(number) { $0.areas?.work = "340604" }
        told.append(try await harness.dryRun(elsewhere, as: far))
        var request = SubmitEnrollmentRequest()
        request.application = elsewhere
        request.validateOnly = true
        let alone = try await harness.client(far).submitEnrollment(request).enrollment
        told.append(.enrollment(try #require(alone)))
      }
      guard case .enrollment(let unknown)? = told.last else { throw Unexpected("\(told)") }
      #expect(unknown.route != .unspecified, "of a person whom nobody knows")
      for result in told {
        guard case .enrollment(var enrollment) = result else { throw Unexpected("\(result)") }
        enrollment.createTime = unknown.createTime
        #expect(enrollment == unknown)
      }
      // In the scope of the caller it tells as much as the caller may see anyway.
      let near = Caller.staff(names["xiangshan"] ?? "", role: .clerk, id: 2)
      var seen: [String] = []
      for number in 1...4 {
        switch try await harness.dryRun(Applicant.application(number), as: near) {
        case .enrollment(let enrollment): seen.append("\(enrollment.state)")
        case .error(let error): seen.append(error.reason)
        }
      }
      #expect(
        seen == [
          "\(EnrollmentState.admitted)", "MEMBERSHIP_CLOSED", "\(EnrollmentState.held)",
          "\(EnrollmentState.pending)",
        ])
    }
  }
}

extension Harness {
  fileprivate func dryRun(
    _ application: EnrollmentApplication, as caller: Caller
  ) async throws -> EnrollMembersResponse.Result {
    var request = EnrollMembersRequest()
    request.application = application
    request.validateOnly = true
    return try #require(try await enroll([request], as: caller).first?.result)
  }
}
