import MembersV1

/// The state machine of a correction. Pure.
struct CorrectionProgress: Sendable, Hashable {
  enum Input: Sendable, CaseIterable {
    case accept
    case decline
    /// The person was erased.
    case cancel
  }

  private(set) var state: CorrectionState

  init(_ state: CorrectionState = .requested) { self.state = state }

  /// - Throws: ``MembersError/correctionState``.
  mutating func apply(_ input: Input) throws(MembersError) {
    guard state == .requested else { throw .correctionState }
    switch input {
    case .accept: state = .accepted
    case .decline: state = .declined
    case .cancel: state = .cancelled
    }
  }
}
