import MembersV1

/// The state machine of an enrollment: RECEIVED → HELD | PENDING | ADMITTED | REFUSED | WITHDRAWN.
/// Pure.
struct EnrollmentProgress: Sendable, Hashable {
  /// The inputs of the state machine.
  enum Input: Sendable, Hashable, CaseIterable {
    /// The person becomes a member at once.
    case admit
    /// The region requires approval.
    case ask
    /// Another enrollment of the person is pending.
    case hold
    /// The person's membership is closed, which the enrollment must not reveal to a partner.
    case decline
    /// Staff approve it.
    case approve
    /// Staff refuse it.
    case refuse
    /// The person withdraws it.
    case withdraw
  }

  /// The effect of a transition besides the new state.
  enum Action: Sendable, Hashable {
    case nothing
    /// It becomes the person's only open enrollment.
    case open
    /// It is no longer the person's open enrollment.
    case close
    /// The person becomes a member.
    case admit
    /// Both `close` and `admit`.
    case closeAndAdmit
  }

  private(set) var state: EnrollmentState

  init(_ state: EnrollmentState = .received) { self.state = state }

  /// - Throws: ``MembersError/enrollmentNotWaiting`` if the state does not allow the input; the
  ///   state is unchanged then.
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

  /// Returns the state of a new enrollment after its first input.
  static func first(_ input: Input) throws(MembersError) -> EnrollmentState {
    var progress = EnrollmentProgress()
    _ = try progress.apply(input)
    return progress.state
  }
}
