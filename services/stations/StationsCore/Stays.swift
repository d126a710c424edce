import StationsV1

/// A person's presence at a point. A stay begins with an arrival and ends with a departure, or
/// after the longest stay. A pure value.
struct Stay: Sendable, Hashable {
  /// Identifier of the arrival's visit.
  var visit: String
  /// SHA-256 of the member code; nil for an anonymous visit.
  var code: [UInt8]?
  /// Microseconds since 1970.
  var arrivedAt: Int64
}

/// The changes of a point's stays by a batch of visits.
struct StayChanges: Sendable, Hashable {
  private(set) var opened: [Stay] = []
  /// Visit ids of stays that were stored before and end with this batch.
  private(set) var closed: [String] = []

  /// - Parameters:
  ///   - stored: The point's stays, oldest first; required only if the batch has departures.
  init(_ taken: [VisitBatch.Taken], stored: [Stay], rules: VisitRules, now: Int64) {
    var present = stored
    for visit in taken where visit.state != .setAside {
      // A kiosk clock that is slightly ahead must not create a stay that begins in the future.
      let instant = min(visit.visit.deviceAt ?? now, now)
      switch visit.visit.direction {
      case .departure:
        guard
          let index = Self.endedStay(
            code: visit.visit.codeSHA256, at: instant, in: present, rules: rules)
        else { continue }
        let stay = present.remove(at: index)
        if let own = opened.firstIndex(of: stay) {
          opened.remove(at: own)
        } else {
          closed.append(stay.visit)
        }
      default:
        let stay = Stay(visit: visit.visit.id, code: visit.visit.codeSHA256, arrivedAt: instant)
        opened.append(stay)
        present.append(stay)
      }
    }
    // Visits that are reported late may be over already.
    opened.removeAll { $0.arrivedAt + rules.stayMax <= now }
  }

  /// Returns the stay that a departure ends: the oldest with its code, even one past the longest
  /// stay; else the oldest anonymous one. An anonymous departure ends the oldest anonymous stay,
  /// else the oldest of all, as somebody left. A departure that is reported late never ends a stay
  /// that began after it.
  private static func endedStay(
    code: [UInt8]?, at instant: Int64, in stays: [Stay], rules: VisitRules
  ) -> Int? {
    let latest = instant + rules.stateTolerance
    if let code,
      let own = oldest(in: stays, where: { $0.code == code && $0.arrivedAt <= latest })
    {
      return own
    }
    let earliest = instant - rules.stayMax
    let open = { (stay: Stay) in stay.arrivedAt > earliest && stay.arrivedAt <= latest }
    if let anonymous = oldest(in: stays, where: { $0.code == nil && open($0) }) {
      return anonymous
    }
    return code == nil ? oldest(in: stays, where: open) : nil
  }

  private static func oldest(in stays: [Stay], where isWanted: (Stay) -> Bool) -> Int? {
    stays.indices.filter { isWanted(stays[$0]) }
      .min { stays[$0].arrivedAt < stays[$1].arrivedAt }
  }
}
