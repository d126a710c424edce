import MembersV1
import Testing

@testable import MembersCore

@Suite("The states of a pool case")
struct PoolCaseProgressTests {
  /// The state after each input (assign, confirm, giveBack, loseReceiver, escalate, close) in each
  /// state, on the due day and on the day after. `-`: the input is refused.
  static let table: [(PoolCaseState, onDueDay: String, dayAfter: String)] = [
    (.unspecified, "- - - - - -", "- - - - - -"),
    (.waiting, "A - - - - X", "A - - - W X"),
    (.assigned, "- C W W - X", "- C W W A X"),
    (.confirmed, "- - - - - -", "- - - - - -"),
    (.closed, "- - - - - -", "- - - - - -"),
  ]

  private static let letters: [Character: PoolCaseState] = [
    "W": .waiting, "A": .assigned, "C": .confirmed, "X": .closed,
  ]

  @Test("every input in every state has the result of the table, overdue or not")
  func everyStateAndInput() {
    #expect(Set(Self.table.map(\.0)) == Set(PoolCaseState.allCases))
    for (state, onDueDay, dayAfter) in Self.table {
      for (day, row) in [(100, onDueDay), (101, dayAfter)] {
        let outcomes = row.split(separator: " ")
        #expect(outcomes.count == PoolCaseProgress.Input.allCases.count)
        for (input, outcome) in zip(PoolCaseProgress.Input.allCases, outcomes) {
          let before = PoolCaseProgress(state: state, level: 1, returns: 2, dueDay: 100)
          var progress = before
          do throws(MembersError) {
            try progress.apply(input, on: day, days: 15)
            #expect(progress.state == Self.letters[outcome.first ?? "-"], "\(state) \(input)")
            #expect(progress.level == (input == .escalate ? 2 : 1))
            #expect(progress.returns == (input == .giveBack ? 3 : 2))
            #expect(progress.dueDay == (input == .escalate ? 116 : 100))
          } catch {
            #expect(error == .poolCaseState)
            #expect(outcome == "-", "\(state) \(input)")
            #expect(progress == before)
          }
        }
      }
    }
  }
}
