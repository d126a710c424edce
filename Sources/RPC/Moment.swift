/// A moment of the continuous clock, by what had passed since the first one asked for.
///
/// The clock's own instants have a size that is known only at run time: whatever holds one is
/// copied and destroyed through tables, and that would be everything that belongs to a call.
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
