import Foundation
import MembersV1
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("One person, one live membership")
struct KnownPersonTests {
  @Test("64 concurrent applications of one person create one membership")
  func concurrentApplications() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let enrollments = try await withThrowingTaskGroup(of: Enrollment.self) { group in
        for index in 0..<64 {
          group.addTask {
            // Partners and staff, each with its own request id, and different phones, areas and
            // names.
            let application = Applicant.application(1) {
              $0.phone = Applicant.phone(index)
              if index % 3 == 0 { $0.areas?.work = "340604" }
            }
            let caller = index % 4 == 0 ? Caller.administrator : .partner(index % 5 + 1)
            return try await harness.submit(application, as: caller)
          }
        }
        var all: [Enrollment] = []
        for try await enrollment in group { all.append(enrollment) }
        return all
      }
      #expect(Set(enrollments.map(\.name)).count == 64)
      #expect(try await harness.members().count == 1)
      #expect(Set(enrollments.map(\.member)).subtracting([""]).count == 1)
      let count = try await harness.database.read(
        Query<Int>.one("SELECT count(*) AS n FROM person_hashes WHERE place = ''") {
          try $0.int("n")
        })
      #expect(count == 1)
      #expect(try await harness.countsAgree())
    }
  }

  @Test("a partner cannot distinguish a known person from a new one")
  func neutralToPartners() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      _ = try await harness.submit(Applicant.application(1), as: .administrator)
      var known = try await harness.submit(Applicant.application(1))
      var new = try await harness.submit(Applicant.application(2))
      for name in [known.name, new.name] {
        var request = GetEnrollmentRequest()
        request.name = name
        let read = try await harness.client(.partner()).getEnrollment(request).enrollment
        #expect(read?.state == .received)
        #expect(read?.member == "")
      }
      known.name = ""
      new.name = ""
      #expect(known == new)
      // Whatever would refuse a new person refuses a known one too.
      let nowhere = Applicant.application(1) { $0.areas?.work = "110101" }
      #expect(try await refusal { try await harness.submit(nowhere) } == "NO_RECEIVER")
    }
  }

  @Test("staff in scope get the existing member; staff elsewhere do not")
  func existingMember() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let first = try await harness.submit(Applicant.application(1), as: .administrator)
      let near = Caller.staff(names["xiangshan"] ?? "", role: .clerk, id: 2)
      let again = try await harness.submit(Applicant.application(1), as: near)
      #expect(again.state == .admitted)
      #expect(again.member == first.member)
      #expect(again.organization == first.organization)
      let far = Caller.staff(names["lieshan"] ?? "", role: .clerk, id: 3)
      let elsewhere = Applicant.application(1) { $0.areas?.work = "340604" }
      let neutral = try await harness.submit(elsewhere, as: far)
      #expect(neutral.state == .received)
      #expect(neutral.member.isEmpty)
      #expect(try await harness.members().count == 1)
    }
  }

  @Test(
    "a closed membership is refused to staff in scope, and hidden from everybody else",
    arguments: [MembershipState.expelled, .deceased])
  func closed(state: MembershipState) async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let first = try await harness.submit(Applicant.application(1), as: .administrator)
      try await harness.end(first.member, as: state)
      #expect(
        try await refusal {
          try await harness.submit(Applicant.application(1), as: .administrator)
        } == "MEMBERSHIP_CLOSED")
      let far = Caller.staff(names["lieshan"] ?? "", role: .clerk, id: 3)
      let elsewhere = Applicant.application(1) { $0.areas?.work = "340604" }
      let hidden = try await harness.submit(elsewhere, as: far)
      #expect(hidden.state == .received)
      #expect(hidden.member.isEmpty && hidden.refusal.isEmpty)
      var told = try await harness.submit(Applicant.application(1))
      var new = try await harness.submit(Applicant.application(2))
      let stored = try await harness.database.read(
        EnrollmentStore.byID(String(told.name.dropFirst("enrollments/".count))))
      #expect(stored?.enrollment.state == .refused)
      #expect(stored?.enrollment.refusal == "MEMBERSHIP_CLOSED")
      told.name = ""
      new.name = ""
      #expect(told == new)
      #expect(try await harness.members().count == 1, "only the second person's")
    }
  }

  @Test("a member who left returns with the first join date and the same number")
  func revived() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let first = try await harness.submit(Applicant.application(1), as: .administrator)
      let before = try await harness.members()[0]
      try await harness.end(first.member, as: .left)
      #expect(try await harness.members().isEmpty)
      harness.clock.advance(days: 400)
      let again = try await harness.submit(
        Applicant.application(1) { $0.areas?.work = "340603" }, as: .administrator)
      let after = try await harness.members()[0]
      #expect(again.member == first.member)
      #expect(after.state == .pooled)
      #expect(after.managingOrganization == names["xiangshan-pool"])
      #expect(after.joinDate == before.joinDate)
      #expect(after.memberNumber == before.memberNumber)
      #expect(after.etag != before.etag)
      #expect(try await harness.countsAgree())
    }
  }

  @Test("one phone on two IDs enrolls both and opens one duplicate case for each two")
  func sharedPhone() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      for number in 1...3 {
        _ = try await harness.submit(
          Applicant.application(number) { $0.phone = "13912345678" })
      }
      #expect(try await harness.members().count == 3)
      let kinds = try await harness.database.read(
        Query<[String]>.all("SELECT kind FROM duplicate_cases WHERE state = 'OPEN'") {
          try $0.text("kind")
        })
      #expect(kinds == ["PHONE", "PHONE", "PHONE"])
    }
  }

  @Test("a known ID with another phone is the same person")
  func otherPhone() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      _ = try await harness.submit(Applicant.application(1))
      _ = try await harness.submit(
        Applicant.application(1) { $0.phone = "+86 139 1234 5678" })
      let members = try await harness.members()
      #expect(members.count == 1)
      #expect(members[0].phoneMasked == "138****0001")
    }
  }

  @Test("in a region that approves first, the application waits and a second one is held")
  func approveFirst() async throws {
    var configuration = MembersConfiguration()
    configuration.regions = [
      RegionSetting(regionCode: "340603", rules: .poolFirst, approveFirst: true)
    ]
    try await Harness.run(configuration) { harness in
      _ = try await harness.plantTree()
      let first = try await harness.submit(Applicant.application(1), as: .administrator)
      #expect(first.state == .pending)
      #expect(first.route == .holdingPool)
      #expect(first.member.isEmpty)
      let second = try await harness.submit(Applicant.application(1), as: .administrator)
      #expect(second.state == .held)
      #expect(try await harness.submit(Applicant.application(1)).state == .received)
      #expect(try await harness.members().isEmpty)
    }
  }
}

extension Harness {
  /// Whether the counters of the whole tree agree with a recount.
  func countsAgree() async throws -> Bool {
    let all = PathRange(subtreeOf: "")
    let days = 0...1_000_000
    let (enrollments, recounted, members, recountedMembers) = try await database.read(
      CounterStore.enrollments(of: all, days: days),
      CounterStore.recountEnrollments(of: all, days: days), CounterStore.members(of: all),
      CounterStore.recountMembers(of: all))
    return enrollments == recounted && members == recountedMembers
  }
}
