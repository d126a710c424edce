import MembersV1
import Testing

@testable import MembersCore

@Suite("The states of a possible duplicate")
struct DuplicateProgressTests {
  /// The state after merge, distinguish and undo in each state; nil: the input is refused.
  static let table: [(DuplicateState, [DuplicateState?])] = [
    (.unspecified, [nil, nil, nil]),
    (.open, [.same, .distinct, nil]),
    (.same, [nil, nil, .undone]),
    (.distinct, [nil, nil, nil]),
    (.undone, [.same, .distinct, nil]),
  ]

  @Test("every input in every state has the result of the table")
  func everyStateAndInput() {
    #expect(Set(Self.table.map(\.0)) == Set(DuplicateState.allCases))
    for (state, outcomes) in Self.table {
      for (input, outcome) in zip(DuplicateProgress.Input.allCases, outcomes) {
        var progress = DuplicateProgress(state)
        do throws(MembersError) {
          try progress.apply(input)
          #expect(progress.state == outcome, "\(state) \(input)")
        } catch {
          #expect(error == .duplicateState)
          #expect(outcome == nil, "\(state) \(input)")
          #expect(progress.state == state)
        }
      }
      #expect(state == .unspecified || DuplicateState(word: state.word) == state)
    }
  }
}
