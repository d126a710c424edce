import MembersV1
import Testing

@testable import MembersCore

@Suite("The states of a membership")
struct MembershipTests {
  /// What each input (in the order of `Input.allCases`: join, joinPool, place, pool, transfer,
  /// retain, restore, leave, expel, die, merge, undoMerge, update) makes of each state. `-`: the
  /// state does not allow it; `!`: the membership is closed.
  static let table: [(MembershipState, String)] = [
    (.unspecified, "A P - - - - - - - - - - -"),
    (.pooled, "- - A - A - - L X D M - P"),
    (.active, "- - - P A R - L X D M - A"),
    (.retained, "- - - - - - A L X D M - R"),
    (.left, "A P - - - - - - - - - - -"),
    (.expelled, "! ! - - - - - - - - - - -"),
    (.deceased, "! ! - - - - - - - - - - -"),
    (.merged, "! ! - - - - - - - - - R -"),
  ]

  private static let letters: [Character: MembershipState] = [
    "A": .active, "P": .pooled, "R": .retained, "L": .left, "X": .expelled, "D": .deceased,
    "M": .merged,
  ]

  @Test("every input in every state does what the table says")
  func everyStateAndInput() {
    #expect(Set(Self.table.map(\.0)) == Set(MembershipState.allCases))
    for (state, row) in Self.table {
      let outcomes = row.split(separator: " ")
      #expect(outcomes.count == Membership.Input.allCases.count)
      for (input, outcome) in zip(Membership.Input.allCases, outcomes) {
        // What was merged had been retained.
        let before = Membership(state, former: state == .merged ? .retained : .unspecified)
        var membership = before
        do throws(MembersError) {
          _ = try membership.apply(input)
          #expect(membership.state == Self.letters[outcome.first ?? "-"], "\(state) \(input)")
          #expect(membership.former == (input == .merge ? state : .unspecified))
        } catch {
          #expect(error == (outcome == "!" ? .membershipClosed : .membershipState))
          #expect("-!".contains(outcome), "\(state) \(input)")
          #expect(membership == before)
        }
      }
    }
  }

  @Test("a merge that is undone gives back what was there", arguments: MembershipState.live)
  func undone(state: MembershipState) throws {
    var membership = Membership(state)
    #expect(try membership.apply(.merge) == .merged)
    #expect(try membership.apply(.undoMerge) == .unmerged)
    #expect(membership == Membership(state))
  }

  @Test("every action has a word of its own in the log and in the contract")
  func actions() {
    let actions = MembershipLogEntry.Action.allCases
    #expect(Set(actions.map(\.rawValue)).count == actions.count)
    #expect(Set(actions.map(\.message)).union([.unspecified]) == Set(MembershipAction.allCases))
  }
}
