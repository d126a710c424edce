import MembersV1

/// The index of one unit in a township: COUNTING → TRIGGERED → ASSIGNED → GUIDING → UNION_FORMED |
/// DISMISSED. Pure.
///
/// The township is told once per crossing: while the index is open, falling and rising tell nobody
/// again; after it was dismissed, its people must have been too few before enough is a crossing.
struct UnitIndex: Sendable, Hashable {
  enum Input: Sendable, Hashable, CaseIterable {
    /// Its people are as many as the threshold, or more.
    case enough
    /// They are fewer.
    case tooFew
    case assign
    case guide
    case form
    case dismiss
  }

  private(set) var state: UnitState

  init(_ state: UnitState = .counting) { self.state = state }

  /// - Returns: Whether the township is to be told of a crossing.
  /// - Throws: ``MembersError/unitState`` where people ask for what the state does not allow.
  mutating func apply(_ input: Input) throws(MembersError) -> Bool {
    switch (state, input) {
    case (.counting, .enough):
      state = .triggered
      return true
    case (.dismissed, .tooFew): state = .counting
    case (_, .enough), (_, .tooFew): break
    case (.triggered, .assign), (.assigned, .assign): state = .assigned
    case (.assigned, .guide): state = .guiding
    case (.guiding, .form): state = .unionFormed
    case (.triggered, .dismiss), (.assigned, .dismiss), (.guiding, .dismiss): state = .dismissed
    default: throw .unitState
    }
    return false
  }
}
