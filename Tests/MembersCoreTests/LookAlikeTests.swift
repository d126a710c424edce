import MembersV1
import Storage
import TestStores
import Testing

@testable import MembersCore

/// Of two similar persons, the second opens a case, even if neither was stored when the other was
/// decided.
@Suite("Look-alikes at the same moment")
struct LookAlikeTests {
  enum Likeness: CaseIterable {
    case phone
    case nameAndBirthDate

    var kind: DuplicateCase.Kind {
      switch self {
      case .phone: .phone
      case .nameAndBirthDate: .nameAndBirthDate
      }
    }

    /// Returns the application of one person of a pair.
    func application(_ pair: Int, isSecond: Bool) -> EnrollmentApplication {
      // Birth dates repeat after 5,000 persons.
      let other = self == .phone ? pair + 1_000 : pair + 5_000
      return Applicant.application(isSecond ? other : pair) {
        switch self {
        case .phone: $0.phone = Applicant.phone(pair)
        case .nameAndBirthDate: $0.personName = "张同名"
        }
      }
    }
  }

  @Test("concurrent applications open exactly one case per pair", arguments: Likeness.allCases)
  func together(likeness: Likeness) async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      try await Self.expectCases(likeness, at: harness, harness)
    }
  }

  @Test(
    "concurrent applications to two replicas open exactly one case per pair",
    .enabled(if: Engine.allCases.contains(.postgres), "a SQLite file has one process"),
    arguments: Likeness.allCases)
  func apart(likeness: Likeness) async throws {
    try await Harness.run(on: [.postgres]) { harness in
      _ = try await harness.plantTree()
      try await harness.store.with { other in
        try await Self.expectCases(likeness, at: harness, harness.replica(other))
      }
    }
  }

  /// Submits all pairs concurrently, one person of each to either service.
  private static func expectCases(
    _ likeness: Likeness, at first: Harness, _ second: Harness
  ) async throws {
    let pairs = 24
    try await withThrowingTaskGroup(of: Void.self) { group in
      for pair in 0..<pairs {
        for (harness, isSecond) in [(first, false), (second, true)] {
          group.addTask {
            _ = try await harness.submit(likeness.application(pair, isSecond: isSecond))
          }
        }
      }
      try await group.waitForAll()
    }
    let cases = try await first.database.read(
      Query<Int>.one(
        "SELECT count(*) AS n FROM duplicate_cases WHERE kind = ?1", [likeness.kind.rawValue]
      ) { try $0.int("n") })
    #expect(cases == pairs)
    #expect(try await first.members().count == 2 * pairs)
    #expect(try await first.countsAgree())
  }

  @Test(
    "a new person is compared with the newest ones, whichever enrolled first, but no merged record",
    arguments: Likeness.allCases)
  func all(likeness: Likeness) async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      var members: [String] = []
      func join(_ number: Int) async throws -> Set<String> {
        harness.clock.advance(days: 1)
        let application = Applicant.application(likeness == .phone ? number : number * 5_000) {
          switch likeness {
          case .phone: $0.phone = Applicant.phone(0)
          case .nameAndBirthDate: $0.personName = "张同名"
          }
        }
        let name = try await harness.submit(application, as: .administrator).member
        members.append(name)
        let others = try await harness.database.read(
          Query<[String]>.all(
            "SELECT other_person_id FROM duplicate_cases WHERE kind = ?1 AND person_id = ?2",
            [likeness.kind.rawValue, String(name.suffix(32))]
          ) { "members/\(try $0.text("other_person_id"))" })
        #expect(Set(others).count == others.count)
        return Set(others)
      }
      for number in 1...3 {
        let before = Set(members)
        #expect(try await join(number) == before)
      }
      // The oldest one is merged into the second.
      let all = try await harness.duplicates(as: .administrator)
      let pair = Set(members.prefix(2))
      let duplicate = try #require(
        all.first { pair == [$0.person?.member ?? "", $0.other?.member ?? ""] })
      _ = try await harness.judge(duplicate.name, survivor: members[1], as: .administrator)
      #expect(try await join(4) == Set(members[1...2]))
      for number in 5...8 {
        let newest = Set(members.dropFirst().suffix(PersonStore.lookAlikesMax))
        #expect(try await join(number) == newest)
      }
      // An erased person is compared with nobody.
      _ = try await harness.erase("", as: .member(members[7]))
      #expect(try await join(9) == Set(members[2...6]))
      #expect(try await harness.countsAgree())
    }
  }
}
