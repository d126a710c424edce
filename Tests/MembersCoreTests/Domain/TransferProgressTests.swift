import MembersV1
import Testing

@testable import MembersCore

@Suite("The states of a transfer")
struct TransferProgressTests {
  /// The state after each input (accept, decline, cancel, escalate, expire, restore) in each state
  /// and level, on the due day (10), the day after, the expiry day (20) and the day after that.
  /// `-`: the input is refused; `!`: it is too late.
  static let table: [(TransferState, level: Int, [(day: Int, String)])] = [
    (
      .requested, 0,
      [(10, "C D X - - -"), (11, "C D X R - -"), (20, "C D X R - -"), (21, "! D X R - -")]
    ),
    (
      .requested, 1,
      [(10, "C D X - - -"), (11, "C D X - - -"), (20, "C D X - - -"), (21, "! D X - E -")]
    ),
    (.unspecified, 0, [(10, "- - - - - -"), (21, "- - - - - -")]),
    (.completed, 0, [(10, "- - - - - -"), (21, "- - - - - -")]),
    (.declined, 1, [(10, "- - - - - -"), (21, "- - - - - -")]),
    (.cancelled, 0, [(10, "- - - - - R"), (21, "- - - - - R")]),
    (.expired, 1, [(10, "- - - - - -"), (21, "- - - - - -")]),
  ]

  private static let letters: [Character: TransferState] = [
    "R": .requested, "C": .completed, "D": .declined, "X": .cancelled, "E": .expired,
  ]

  @Test("every input in every state on every day has the result of the table")
  func everyStateAndInput() {
    #expect(Set(Self.table.map(\.0)) == Set(TransferState.allCases))
    for (state, level, days) in Self.table {
      for (day, row) in days {
        let outcomes = row.split(separator: " ")
        #expect(outcomes.count == TransferProgress.Input.allCases.count)
        for (input, outcome) in zip(TransferProgress.Input.allCases, outcomes) {
          let before = TransferProgress(state: state, level: level, dueDay: 10, expiryDay: 20)
          var progress = before
          do throws(MembersError) {
            try progress.apply(input, on: day)
            #expect(progress.state == Self.letters[outcome.first ?? "-"], "\(state) \(input)")
            #expect(progress.level == (input == .escalate ? level + 1 : level))
          } catch {
            #expect(error == (outcome == "!" ? .transferExpired : .transferState))
            #expect("-!".contains(outcome), "\(state) \(input) on day \(day)")
            #expect(progress == before)
          }
        }
      }
    }
  }
}
