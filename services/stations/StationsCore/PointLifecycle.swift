import StationsV1

/// What can be done to a point.
enum PointAction: Sendable, Hashable, CaseIterable {
  /// Building begins.
  case build
  /// It opens, for the first time or again.
  case open
  /// It closes for a while.
  case suspend
  /// It closes for good.
  case close
}

/// The life of a point: PLANNED → BUILDING → OPEN ⇄ SUSPENDED → CLOSED. A planned point may open
/// without building, and any may close. Pure: no clock, no store.
enum PointLifecycle {
  /// What an action comes to.
  enum Outcome: Sendable, Hashable {
    /// The point changes its state.
    case becomes(PointState)
    /// It is so already; nothing changes.
    case unchanged
    /// It closed for good before.
    case refusedClosed
    /// The action does not fit the state.
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

/// The states of a point over time, so that a visit is judged by the state at its own time.
struct PointHistory: Sendable, Hashable {
  /// A state and the instant from which it held.
  struct Entry: Sendable, Hashable {
    /// Microseconds since 1970.
    var from: Int64
    var state: PointState
  }

  /// In the order in which they happened.
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
