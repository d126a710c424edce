import MembersV1
import Testing

@testable import MembersCore

@Suite("How far a person of an outreach list is")
struct OutreachProgressTests {
  /// The state after contact, not reached and decline in each state; nil: the input is refused.
  static let table: [(OutreachState, [OutreachState?])] = [
    (.unspecified, [nil, nil, nil]),
    (.open, [.contacted, .notReached, .declined]),
    (.contacted, [.contacted, nil, .declined]),
    (.notReached, [.contacted, .notReached, .declined]),
    (.declined, [nil, nil, nil]),
    (.joined, [nil, nil, nil]),
  ]

  @Test("every input in every state has the result of the table")
  func everyStateAndInput() {
    #expect(Set(Self.table.map(\.0)) == Set(OutreachState.allCases))
    for (state, outcomes) in Self.table {
      for (input, outcome) in zip(OutreachProgress.Input.allCases, outcomes) {
        var progress = OutreachProgress(state)
        do throws(MembersError) {
          try progress.apply(input)
          #expect(progress.state == outcome, "\(state) \(input)")
        } catch {
          #expect(error == .outreachState)
          #expect(outcome == nil, "\(state) \(input)")
          #expect(progress.state == state)
        }
      }
    }
  }
}
