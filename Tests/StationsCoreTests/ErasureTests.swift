import MembersV1
import StationsV1
import Storage
import Testing

@testable import StationsCore

@Suite("Visits of members who were erased") struct ErasureTests {
  @Test("nothing leads to who was erased, nor from one visit to another, and the counts stay")
  func forgotten() async throws {
    try await World.run { world in
      let (station, other) = (try await world.station(), try await world.station())
      world.members.emitMembership("YJM-A", member: 1)
      world.members.emitMembership("YJM-B", member: 2)
      try await world.feed.catchUp()
      // Who is erased comes twice, far in the past, and elsewhere; C's visits have no member.
      try await station.report(
        uuid(),
        [
          station.visit(1, code: "YJM-A"), station.visit(2, code: "YJM-A"),
          station.visit(3, code: "YJM-A", secondsAgo: 1e9), station.visit(4, code: "YJM-B"),
          station.visit(5, code: "YJM-C"), station.visit(6, code: "YJM-C", secondsAgo: 1e9),
        ])
      try await other.report(uuid(), [other.visit(1, code: "YJM-A")])
      let before = try await station.stored()
      #expect(
        before.map(\.state) == [.matched, .matched, .setAside, .matched, .unmatched, .setAside])
      let days = (try await station.days(), try await other.days())

      world.members.emitMembership("YJM-A", member: 1, state: .left, isErased: true)
      world.members.emitMembership("YJM-C", member: 3, state: .left, isErased: true)
      try await world.feed.catchUp()
      let stored = try await station.stored()
      #expect(stored.map(\.state) == before.map(\.state))
      #expect(stored.map(\.member) == ["", "", "", "members/" + hexID(2), "", ""])
      #expect(try await other.stored().map(\.member) == [""])
      #expect(try await world.held() == ["YJM-B"])
      #expect((try await station.days(), try await other.days()) == days)
      #expect(try await station.countersAgree())
      let masks = try await world.masks()
      #expect(masks.count == 4 && Set(masks).count == 2, "one a day and point")

      // The card still names nobody.
      try await station.report(uuid(), [station.visit(1, code: "YJM-A")])
      #expect(try await station.stored().last?.state == .unmatched)
    }
  }

  @Test("what was stored beside an erasure is forgotten when the feed connects, day by day")
  func leftBehind() async throws {
    try await World.run { world in
      let stations = [try await world.station(), try await world.station()]
      world.members.emitMembership("YJM-A", member: 1, state: .left, isErased: true)
      try await world.feed.catchUp()
      // A call that was under way named the member.
      world.members.enroll("YJM-A", member: 1)
      for station in stations {
        try await station.report(uuid(), [station.visit(1, code: "YJM-A")])
        #expect(try await station.stored().map(\.member) == ["members/" + hexID(1)])
      }
      try await world.feed.forget(
        [ErasedMember(id: hexID(1), code: CheckedVisit.sha256("YJM-A"))], daysPerCommit: 1)
      #expect(try await world.held().isEmpty)
      for station in stations {
        try await station.report(uuid(), [station.visit(1, code: "YJM-A")])
      }
      try await world.feed.forgetLeftBehind()
      #expect(try await world.held().isEmpty)
      for station in stations {
        #expect(try await station.stored().map(\.member) == ["", ""])
        #expect(try await station.countersAgree())
      }
    }
  }
}

extension World {
  /// Codes, of three, that some table still has, or whose member it has.
  fileprivate func held() async throws -> [String] {
    var held: [String] = []
    for (number, code) in ["YJM-A", "YJM-B", "YJM-C"].enumerated() {
      let rows = try await database.read(
        Query<Int>.one(
          """
          SELECT (SELECT count(*) FROM visit WHERE code_sha256 = ?1 OR member_id = ?2)
            + (SELECT count(*) FROM member_code WHERE code_sha256 = ?1 OR member_id = ?2)
            + (SELECT count(*) FROM visit_day_member WHERE member_id = ?2)
            + (SELECT count(*) FROM stay WHERE code_sha256 = ?1) AS n
          """, [CheckedVisit.sha256(code), hexID(number + 1)]
        ) { try $0.int("n") })
      if rows > 0 { held.append(code) }
    }
    return held
  }

  /// What stands in visits instead of a member.
  fileprivate func masks() async throws -> [String] {
    try await database.read(
      Query<[String]>.all(
        "SELECT point_id, member_id FROM visit WHERE member_id LIKE '-%' ORDER BY point_id"
      ) { "\(try $0.text("point_id")) \(try $0.text("member_id"))" })
  }
}
