import MembersV1

/// The state machine of a correction. Pure.
struct CorrectionProgress: Sendable, Hashable {
  enum Input: Sendable, CaseIterable {
    case accept
    case decline
    /// The person was erased, or the record merged.
    case cancel
    /// The merge that cancelled it is undone.
    case restore
  }

  private(set) var state: CorrectionState

  init(_ state: CorrectionState = .requested) { self.state = state }

  /// - Throws: ``MembersError/correctionState``.
  mutating func apply(_ input: Input) throws(MembersError) {
    guard state == (input == .restore ? .cancelled : .requested) else { throw .correctionState }
    switch input {
    case .accept: state = .accepted
    case .decline: state = .declined
    case .cancel: state = .cancelled
    case .restore: state = .requested
    }
  }
}
