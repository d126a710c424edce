import MembersV1

/// What people judged of a possible duplicate: a pure value.
struct DuplicateProgress: Sendable, Hashable {
  enum Input: Sendable, CaseIterable {
    /// They are one person.
    case merge
    /// They are two.
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
