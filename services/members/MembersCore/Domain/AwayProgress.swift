import MembersV1

/// The state machine of an away report: REPORTED → FILED → AWAY → RETURNED, with RETURNED_FOR_FIX →
/// REPORTED; ENDED with the membership, and what it was if that was a merge and is undone. Pure.
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
    /// The merge that ended the membership is undone.
    case restore
  }

  private static let open: [AwayState] = [.reported, .returnedForFix, .filed, .away]

  private(set) var state: AwayState
  /// The state before the end; `unspecified` if it is not restored.
  private let former: AwayState

  init(_ state: AwayState = .reported, former: AwayState = .unspecified) {
    (self.state, self.former) = (state, former)
  }

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
    case (.ended, .restore) where Self.open.contains(former): state = former
    default: throw .awayState
    }
  }
}
