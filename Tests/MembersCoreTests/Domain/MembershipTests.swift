import MembersV1
import Testing

@testable import MembersCore

@Suite("The states of a membership")
struct MembershipTests {
  /// The state after each input (in the order of `Input.allCases`: join, joinPool, place, pool,
  /// transfer, retain, restore, restoreToPool, leave, expel, die, merge, undoMerge, update, erase)
  /// in each state. `-`: the input is refused; `!`: the membership is closed.
  static let table: [(MembershipState, String)] = [
    (.unspecified, "A P - - - - - - - - - - - - -"),
    (.pooled, "- - A - A - - - L X D M - P -"),
    (.active, "- - - P A R - - L X D M - A -"),
    (.retained, "- - - - - - A P L X D M - R -"),
    (.left, "A P - - - - - - - - - - - - L"),
    (.expelled, "! ! - - - - - - - - - - - - X"),
    (.deceased, "! ! - - - - - - - - - - - - D"),
    (.merged, "! ! - - - - - - - - - - R - M"),
  ]

  private static let letters: [Character: MembershipState] = [
    "A": .active, "P": .pooled, "R": .retained, "L": .left, "X": .expelled, "D": .deceased,
    "M": .merged,
  ]

  @Test("every input in every state has the result of the table")
  func everyStateAndInput() {
    #expect(Set(Self.table.map(\.0)) == Set(MembershipState.allCases))
    for (state, row) in Self.table {
      let outcomes = row.split(separator: " ")
      #expect(outcomes.count == Membership.Input.allCases.count)
      for (input, outcome) in zip(Membership.Input.allCases, outcomes) {
        // The merged membership had been retained before.
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

  @Test("undoing a merge restores the state before it", arguments: MembershipState.live)
  func undone(state: MembershipState) throws {
    var membership = Membership(state)
    #expect(try membership.apply(.merge) == .merged)
    #expect(try membership.apply(.undoMerge) == .unmerged)
    #expect(membership == Membership(state))
  }

  @Test("every action has a distinct name in the log and in the contract")
  func actions() {
    let actions = MembershipLogEntry.Action.allCases
    #expect(Set(actions.map(\.rawValue)).count == actions.count)
    #expect(Set(actions.map(\.message)).union([.unspecified]) == Set(MembershipAction.allCases))
  }
}
