import MembersV1
import Testing

@testable import MembersCore

@Suite("The states of codes, refresh rounds and outreach lists")
struct StoredStateTests {
  private func stored(revoked: Int64?) -> StoredCode {
    StoredCode(
      id: "c", organizationID: "o", channel: .qrScan, campaign: "", expires: 100, revoked: revoked,
      version: 1, created: 0)
  }

  @Test("a code is used until it expires or is revoked, and revoked once, at any time")
  func codes() throws {
    // Before the expiry, at it, and after it; not revoked, and revoked at 50.
    let uses: [(revoked: Int64?, now: Int64, refusal: MembersError?)] = [
      (nil, 99, nil), (nil, 100, .codeExpired), (nil, 101, .codeExpired),
      (50, 99, .codeRevoked), (50, 100, .codeRevoked), (50, 101, .codeRevoked),
    ]
    for (revoked, now, refusal) in uses {
      var code = stored(revoked: revoked)
      if let refusal {
        #expect(throws: refusal) { try code.check(at: now) }
      } else {
        try code.check(at: now)
      }
      #expect(code.holds(at: now) == (refusal == nil))
      #expect(code.revoke(at: now) == (revoked == nil))
      #expect(code.revoked == revoked ?? now, "a later revocation changes nothing")
      #expect(throws: MembersError.codeRevoked) { try code.check(at: now) }
    }
  }

  @Test("an open round is worked on and closed; nothing is done in a closed one")
  func rounds() throws {
    for input in StoredRound.Input.allCases {
      var round = StoredRound(
        id: "r", organizationID: "o", openDay: 0, dueDay: 9, isClosed: false, records: [:],
        version: 3, created: 0)
      try round.apply(input)
      #expect(round.isClosed == (input == .close))
      #expect(round.version == (input == .close ? 4 : 3))
      round.isClosed = true
      let closed = round
      #expect(throws: MembersError.refreshState) { try round.apply(input) }
      #expect(round == closed)
    }
  }

  @Test("people are added to an open list, which is closed; nothing is done in a closed one")
  func lists() throws {
    for input in StoredOutreachList.Input.allCases {
      var list = StoredOutreachList(
        id: "l", organizationID: "o", displayName: "", means: .sms, dueDay: nil, isClosed: false,
        people: 2, progress: [], version: 3, created: 0)
      try list.apply(input)
      #expect(list.isClosed == (input == .close))
      #expect(list.version == (input == .close ? 4 : 3))
      list.isClosed = true
      let closed = list
      #expect(throws: MembersError.outreachState) { try list.apply(input) }
      #expect(list == closed)
    }
  }
}
