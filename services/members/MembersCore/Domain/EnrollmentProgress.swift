import MembersV1

/// How far an application is: RECEIVED → HELD | PENDING | ADMITTED | REFUSED | WITHDRAWN.
///
/// Pure: the state, what happens to it, and what the one who keeps it must do.
struct EnrollmentProgress: Sendable, Hashable {
  /// What happens to an application.
  enum Input: Sendable, Hashable, CaseIterable {
    /// The person becomes a member at once.
    case admit
    /// The region approves first.
    case ask
    /// Another application of the person waits.
    case hold
    /// The membership is closed, which only the record may say.
    case decline
    /// Staff approve it.
    case approve
    /// Staff refuse it.
    case refuse
    /// The person does not want it any more.
    case withdraw
  }

  /// What follows, beside storing the state.
  enum Action: Sendable, Hashable {
    case nothing
    /// It becomes the person's one open application.
    case open
    /// It is the person's open application no more.
    case close
    /// The person is to be a member.
    case admit
    /// Both of the last two.
    case closeAndAdmit
  }

  private(set) var state: EnrollmentState

  init(_ state: EnrollmentState = .received) { self.state = state }

  /// - Throws: ``MembersError/enrollmentNotWaiting`` where the state has no such way; nothing
  ///   changes then.
  mutating func apply(_ input: Input) throws(MembersError) -> Action {
    let (next, action): (EnrollmentState, Action) =
      switch (state, input) {
      case (.received, .admit): (.admitted, .admit)
      case (.received, .ask): (.pending, .open)
      case (.received, .hold): (.held, .nothing)
      case (.received, .decline): (.refused, .nothing)
      case (.pending, .approve): (.admitted, .closeAndAdmit)
      case (.pending, .refuse): (.refused, .close)
      case (.pending, .withdraw): (.withdrawn, .close)
      case (.held, .approve): (.admitted, .admit)
      case (.held, .refuse): (.refused, .nothing)
      case (.held, .withdraw): (.withdrawn, .nothing)
      default: throw .enrollmentNotWaiting
      }
    state = next
    return action
  }

  /// The state of a new application after its first input.
  static func first(_ input: Input) throws(MembersError) -> EnrollmentState {
    var progress = EnrollmentProgress()
    _ = try progress.apply(input)
    return progress.state
  }
}
