import Crypto
import Foundation
import MembersV1
import ServiceKit
import Storage
import Testing

@testable import MembersCore

@Suite("The query of a roster's message", .timeLimit(.minutes(5)))
struct RosterQueryTests {
  /// What is stored of each person: some before the key of the hashes was changed, some afterwards.
  private enum Story: CaseIterable {
    case active, elsewhere, left, expelled, erased, retained, unknown
    /// The older record is merged into the newer one, which a pool manages.
    case merged
    case mergedIntoLeft
    case mergeUndone
    /// The newer record is merged into the older one.
    case mergedIntoOlder

    /// Whether there are two records of the person.
    var isPair: Bool {
      switch self {
      case .merged, .mergedIntoLeft, .mergeUndone, .mergedIntoOlder: true
      default: false
      }
    }

    /// The verdicts on the older record and on the newer one, seen from the older one's union.
    var verdicts: [RosterVerdict] {
      switch self {
      case .active, .retained: [.memberHere]
      case .elsewhere: [.memberElsewhere]
      case .left, .expelled, .erased, .unknown: [.notMember]
      case .merged: [.memberElsewhere, .memberElsewhere]
      case .mergedIntoLeft: [.notMember, .notMember]
      case .mergeUndone: [.memberHere, .memberElsewhere]
      case .mergedIntoOlder: [.memberHere, .memberHere]
      }
    }
  }

  /// The distance between the numbers of the two records of a person.
  private static let newer = 1_000

  private static func tell(_ story: Story, _ number: Int, in harness: Harness) async throws {
    if story == .unknown { return }
    let member = try await harness.submit(
      Applicant.application(number) { if story == .elsewhere { $0.areas?.work = "340604" } },
      as: .administrator
    ).member
    switch story {
    case .left: try await harness.end(member, as: .left)
    case .expelled: try await harness.end(member, as: .expelled)
    case .erased: _ = try await harness.erase("", as: .member(member))
    case .retained: _ = try await harness.retain(member, as: .administrator)
    default: break
    }
    guard story.isPair else { return }
    let other = try await harness.submit(
      Applicant.application(newer + number) {
        $0.phone = Applicant.phone(number)
        $0.areas?.work = "340603"
      }, as: .administrator
    ).member
    let duplicate = try #require(
      try await harness.duplicates(as: .administrator).first {
        Set([$0.person?.member, $0.other?.member]) == [member, other]
      })
    _ = try await harness.judge(
      duplicate.name, survivor: story == .mergedIntoOlder ? member : other, as: .administrator)
    if story == .mergeUndone { _ = try await harness.undo(duplicate.name, as: .administrator) }
    if story == .mergedIntoLeft { try await harness.end(other, as: .left) }
  }

  /// The rows on one record: with its name, another one, none and an invalid one; the same by
  /// SHA-256.
  private static func rows(_ number: Int) -> [RosterRow] {
    [nil, "王五", "", "?"].flatMap { name in
      let plain = RosterTests.row(number, name: name)
      var hashed = plain
      hashed.residentID = ""
      hashed.residentIDSHA256 = Array(SHA256.hash(data: Data(plain.residentID.utf8)))
      return [plain, hashed]
    }
  }

  /// The finding on a search, from one plain query after the other: `here`, `named`, both or
  /// neither; `nil` where there is no live member.
  private static func plain(
    _ search: RosterSearch, in range: PathRange, of database: any Database
  ) async throws -> Set<String>? {
    var found: Set<String>?
    for (index, hash) in search.persons.enumerated() {
      let person = try await database.read(
        Query<String?>.first(
          "SELECT person_id FROM person_hashes WHERE hash = ?1 AND place = ''", [hash]
        ) { try $0.text("person_id") })
      guard let person,
        let known = try await database.read(MemberStore.remaining(of: person)),
        known.member.state.isLive
      else { continue }
      var words: Set<String> = []
      let path = known.managingPath
      if path >= range.first, path < range.end { words.insert("here") }
      let name = index < search.names.count ? search.names[index] : []
      let isNamed = try await database.read(
        Query<Bool>.exists(
          "SELECT key FROM person_hashes WHERE hash = ?1 AND place = ?2 LIMIT 1", [name, person]))
      if isNamed { words.insert("named") }
      found = (found ?? []).union(words)
    }
    return found
  }

  @Test("finds what one plain query after the other finds, in every state and for each line")
  func mixed() async throws {
    try await Harness.run { root in
      let rings = try UpkeepTests.Rings(root)
      let before = root.sharing(try rings.keys())
      let names = try await before.plantTree()
      let count = Story.allCases.count
      for (number, story) in Story.allCases.enumerated() {
        try await Self.tell(story, 1 + number, in: before)
      }
      try rings.change("hashes") { $0.adding(at: root.clock.now) }
      let harness = root.sharing(try rings.keys())
      for (number, story) in Story.allCases.enumerated() {
        try await Self.tell(story, 1 + count + number, in: harness)
      }
      var rows: [RosterRow] = []
      var verdicts: [RosterVerdict] = []
      for (number, story) in (Story.allCases + Story.allCases).enumerated() {
        for (record, verdict) in story.verdicts.enumerated() {
          rows += Self.rows(1 + number + record * Self.newer)
          let other: RosterVerdict = verdict == .notMember ? .notMember : .conflict
          verdicts += [verdict, verdict, other, other, verdict, verdict, other, other]
        }
      }
      let union = try #require(names["quegou"])
      let (results, _) = try await RosterTests.compare(
        harness, [rows, rows + rows], as: .administrator, organization: union)
      #expect(results.map(\.verdict) == verdicts + verdicts + verdicts)

      let id = try #require(union.split(separator: "/").last.map(String.init))
      let path = try await harness.database.read(OrganizationStore.byID(id))?.path
      let range = PathRange(subtreeOf: try #require(path))
      let searches = rows.map { RosterSearch($0, harness.keys) }
      // The largest message, whose lines are twice as many, since two keys are in use.
      let many = (0..<RosterComparison.rowsMax).map { searches[$0 % searches.count] }
      let findings = try await harness.database.read(RosterStore.findings(on: many, in: range))
      var plain: [Set<String>?] = []
      for search in searches {
        plain.append(try await Self.plain(search, in: range, of: harness.database))
      }
      for (index, finding) in findings.enumerated() {
        let words = finding.map { Set(($0.isHere ? ["here"] : []) + ($0.isNamed ? ["named"] : [])) }
        #expect(words == plain[index % plain.count])
      }
    }
  }
}
