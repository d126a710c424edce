import MembersV1
import Testing

@testable import MembersCore

@Suite("How far an application is")
struct EnrollmentProgressTests {
  private typealias Way = (EnrollmentState, EnrollmentProgress.Action)

  /// All allowed transitions; every other one is refused.
  private static let ways: [EnrollmentState: [EnrollmentProgress.Input: Way]] = [
    .received: [
      .admit: (.admitted, .admit), .ask: (.pending, .open), .hold: (.held, .nothing),
      .decline: (.refused, .nothing),
    ],
    .pending: [
      .approve: (.admitted, .closeAndAdmit), .refuse: (.refused, .close),
      .withdraw: (.withdrawn, .close),
    ],
    .held: [
      .approve: (.admitted, .admit), .refuse: (.refused, .nothing),
      .withdraw: (.withdrawn, .nothing),
    ],
  ]

  @Test(
    "every state has the transitions of the table and no others",
    arguments: EnrollmentState.allCases)
  func table(state: EnrollmentState) throws {
    for input in EnrollmentProgress.Input.allCases {
      var progress = EnrollmentProgress(state)
      if let (next, action) = Self.ways[state]?[input] {
        #expect(try progress.apply(input) == action)
        #expect(progress.state == next, "\(state) \(input)")
      } else {
        #expect(throws: MembersError.enrollmentNotWaiting) { try progress.apply(input) }
        #expect(progress.state == state, "a refused input changes nothing")
      }
    }
  }
}
