import MembersV1

/// The state machine of an away report: REPORTED → FILED → AWAY → RETURNED, with RETURNED_FOR_FIX →
/// REPORTED; ENDED with the membership. Pure.
struct AwayProgress: Sendable, Hashable {
  enum Input: String, Sendable, Hashable, CaseIterable {
    case file
    case sendBack
    case fix
    case depart
    case comeBack
    /// The county's phone check; does not change the state.
    case check
    /// The membership ended.
    case end
  }

  private(set) var state: AwayState

  init(_ state: AwayState = .reported) { self.state = state }

  /// Whether the member may have no other report.
  var isOpen: Bool { state != .returned && state != .ended }

  /// - Throws: ``MembersError/awayState``; the state is unchanged then.
  mutating func apply(_ input: Input) throws(MembersError) {
    switch (state, input) {
    case (.reported, .file): state = .filed
    case (.reported, .sendBack): state = .returnedForFix
    case (.returnedForFix, .fix): state = .reported
    case (.filed, .depart): state = .away
    case (.away, .comeBack): state = .returned
    case (.filed, .check), (.away, .check), (.returned, .check): break
    case (.reported, .end), (.returnedForFix, .end), (.filed, .end), (.away, .end): state = .ended
    default: throw .awayState
    }
  }
}
