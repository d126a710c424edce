import MembersV1

/// The state machine of a unit index in a township: COUNTING → TRIGGERED → ASSIGNED → GUIDING →
/// UNION_FORMED | DISMISSED. Pure.
///
/// The township is notified once per crossing of the threshold. While the index is open, further
/// crossings cause no notification; after a dismissal, the count must first fall below the
/// threshold. A unit whose union was dissolved is counted anew: enough members are a crossing.
struct UnitIndex: Sendable, Hashable {
  enum Input: Sendable, Hashable, CaseIterable {
    /// The count reaches the threshold.
    case enough
    /// The count is below the threshold.
    case tooFew
    case assign
    case guide
    case form
    case dismiss
    /// The union that was formed is dissolved.
    case loseUnion
  }

  private(set) var state: UnitState

  init(_ state: UnitState = .counting) { self.state = state }

  /// - Returns: Whether to notify the township of a crossing.
  /// - Throws: ``MembersError/unitState`` for a manual input that the state does not allow.
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
    case (.unionFormed, .loseUnion): state = .counting
    case (.triggered, .dismiss), (.assigned, .dismiss), (.guiding, .dismiss): state = .dismissed
    default: throw .unitState
    }
    return false
  }
}
