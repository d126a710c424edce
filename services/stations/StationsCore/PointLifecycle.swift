import StationsV1

/// An action on a point's state.
enum PointAction: Sendable, Hashable, CaseIterable {
  /// Construction begins.
  case build
  /// The point opens, for the first time or again.
  case open
  /// The point closes temporarily.
  case suspend
  /// The point closes permanently.
  case close
}

/// The state machine of a point: PLANNED → BUILDING → OPEN ⇄ SUSPENDED → CLOSED. A planned point
/// may open without BUILDING, and a point in any state may close. Pure: no clock, no store.
enum PointLifecycle {
  /// The result of an action.
  enum Outcome: Sendable, Hashable {
    /// The state changes.
    case becomes(PointState)
    /// The point is in that state already.
    case unchanged
    /// The point is closed permanently.
    case refusedClosed
    /// The action is not allowed in that state.
    case refused
  }

  static func apply(_ action: PointAction, to state: PointState) -> Outcome {
    switch (state, action) {
    case (.closed, .close): .unchanged
    case (.closed, _): .refusedClosed
    case (.planned, .build): .becomes(.building)
    case (.building, .build): .unchanged
    case (.planned, .open), (.building, .open), (.suspended, .open): .becomes(.open)
    case (.open, .open): .unchanged
    case (.open, .suspend): .becomes(.suspended)
    case (.suspended, .suspend): .unchanged
    case (.planned, .close), (.building, .close), (.open, .close), (.suspended, .close):
      .becomes(.closed)
    case (.open, .build), (.suspended, .build), (.planned, .suspend), (.building, .suspend),
      (.unspecified, _), (.unrecognized, _):
      .refused
    }
  }
}

/// The states of a point over time: a visit is judged by the state at the time of the visit.
struct PointHistory: Sendable, Hashable {
  /// A state and the instant from which it applied.
  struct Entry: Sendable, Hashable {
    /// Microseconds since 1970.
    var from: Int64
    var state: PointState
  }

  /// In chronological order.
  var entries: [Entry]

  /// Whether the point was open at any instant of `span` (microseconds since 1970).
  func wasOpen(during span: ClosedRange<Int64>) -> Bool {
    for (index, entry) in entries.enumerated() where entry.state == .open {
      let end = index + 1 < entries.count ? entries[index + 1].from : Int64.max
      if entry.from <= span.upperBound, end > span.lowerBound { return true }
    }
    return false
  }
}
