import MembersV1
import ServiceKit

/// How far a person of an outreach list is: OPEN → CONTACTED | NOT_REACHED | DECLINED. Who was not
/// reached may be contacted yet; who declined is left alone, since joining is voluntary; that
/// somebody JOINED is what the registry says, not what anybody records. Pure.
struct OutreachProgress: Sendable, Hashable {
  enum Input: String, Sendable, Hashable, CaseIterable {
    case contact
    case notReached
    case decline
  }

  private(set) var state: OutreachState

  init(_ state: OutreachState = .open) { self.state = state }

  /// - Throws: ``MembersError/outreachState``; nothing changes then.
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
  /// nil for what nobody records.
  init?(_ state: OutreachState) {
    switch state {
    case .contacted: self = .contact
    case .notReached: self = .notReached
    case .declined: self = .decline
    default: return nil
    }
  }
}
