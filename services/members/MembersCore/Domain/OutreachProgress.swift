import MembersV1
import ServiceKit

/// The state machine of an entry of an outreach list: OPEN → CONTACTED | NOT_REACHED | DECLINED. A
/// person not reached may be contacted later; one who declined is not contacted again, because
/// joining is voluntary. JOINED is derived from the registry and never recorded. Pure.
struct OutreachProgress: Sendable, Hashable {
  enum Input: String, Sendable, Hashable, CaseIterable {
    case contact
    case notReached
    case decline
  }

  private(set) var state: OutreachState

  init(_ state: OutreachState = .open) { self.state = state }

  /// - Throws: ``MembersError/outreachState``; the state is unchanged then.
  mutating func apply(_ input: Input) throws(MembersError) {
    switch (state, input) {
    case (.open, .contact), (.notReached, .contact), (.contacted, .contact): state = .contacted
    case (.open, .notReached), (.notReached, .notReached): state = .notReached
    case (.open, .decline), (.notReached, .decline), (.contacted, .decline): state = .declined
    default: throw .outreachState
    }
  }
}

extension OutreachProgress.Input {
  /// Returns `nil` for states that can't be recorded.
  init?(_ state: OutreachState) {
    switch state {
    case .contacted: self = .contact
    case .notReached: self = .notReached
    case .declined: self = .decline
    default: return nil
    }
  }
}
