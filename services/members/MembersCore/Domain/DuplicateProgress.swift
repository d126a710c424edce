import MembersV1

/// The state machine of a possible duplicate, which people judge. Pure.
struct DuplicateProgress: Sendable, Hashable {
  enum Input: Sendable, CaseIterable {
    /// Both records are of one person.
    case merge
    /// The records are of two persons.
    case distinguish
    case undo
  }

  private(set) var state: DuplicateState

  init(_ state: DuplicateState = .open) { self.state = state }

  /// - Throws: ``MembersError/duplicateState``.
  mutating func apply(_ input: Input) throws(MembersError) {
    switch (input, state) {
    case (.merge, .open), (.merge, .undone): state = .same
    case (.distinguish, .open), (.distinguish, .undone): state = .distinct
    case (.undo, .same): state = .undone
    default: throw .duplicateState
    }
  }
}
