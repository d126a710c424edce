/// An instant of the continuous clock, stored as a `Duration` since the process's first reading.
///
/// The layout of `ContinuousClock.Instant` is known only at run time, so every type that stores one
/// is copied and destroyed through its value witness table. The types of a call must not pay that.
struct Moment: Sendable, Hashable, Comparable {
  private static let origin = ContinuousClock.now
  private let offset: Duration

  private init(offset: Duration) { self.offset = offset }

  init(_ instant: ContinuousClock.Instant) { offset = Self.origin.duration(to: instant) }

  static var now: Moment { Moment(ContinuousClock.now) }

  var instant: ContinuousClock.Instant { Self.origin + offset }

  static func + (moment: Moment, duration: Duration) -> Moment {
    Moment(offset: moment.offset + duration)
  }

  static func - (later: Moment, earlier: Moment) -> Duration { later.offset - earlier.offset }

  static func < (a: Moment, b: Moment) -> Bool { a.offset < b.offset }
}
