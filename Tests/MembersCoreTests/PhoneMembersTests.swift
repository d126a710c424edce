import MembersV1
import ServiceKit
import TestStores
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Members by their phone")
struct PhoneMembersTests {
  private static func find(_ phone: String, in harness: Harness) async throws -> [PhoneMember] {
    var request = FindPhoneMembersRequest()
    request.phone = phone
    return try await harness.client(.service("gateway")).findPhoneMembers(request).members
  }

  @Test("a phone returns every live member that has it, and nobody else")
  func live() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let shared = Applicant.phone(1)
      var members: [String] = []
      for person in 1...2 {
        let application = Applicant.application(person) { $0.phone = shared }
        members.append(try await harness.submit(application, as: .administrator).member)
      }
      _ = try await harness.submit(Applicant.application(3), as: .administrator)
      let found = try await Self.find("+86 \(shared)", in: harness)
      #expect(found.map(\.member) == members.sorted())
      #expect(Set(found.map(\.memberNumber)).subtracting([""]).count == 2)
      _ = try await harness.leave("", as: .member(members[0]))
      #expect(try await Self.find(shared, in: harness).map(\.member) == [members[1]])
      #expect(try await Self.find(Applicant.phone(9), in: harness).isEmpty)
    }
  }

  @Test("an invalid phone is refused, and not repeated in the error")
  func hostile() async throws {
    try await Harness.run(on: [.sqlite]) { harness in
      for text in ["", "1380013800", "' OR 1 = 1 --", String(repeating: "1", count: 10_000)] {
        let told = try await refusal { try await Self.find(text, in: harness) }
        #expect(told.hasPrefix("INVALID_FIELDS phone="))
        #expect(text.isEmpty || !told.contains(text))
      }
    }
  }
}
