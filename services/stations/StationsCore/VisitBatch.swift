import MembersV1
import ServiceKit
import StationsV1

/// Visits that arrived together, and what the store knows: turned into what is to be stored. Pure.
///
/// A visit at or below the acknowledged sequence is a replay and has no effect. The next one is
/// taken. Above that there is a gap: what came before it is stored, then the stream is refused.
struct VisitBatch: Sendable {
  /// What was read in the write's own snapshot.
  struct Facts: Sendable {
    /// Highest acknowledged sequence of the epoch; 0 before the first.
    var acknowledged: Int64
    /// Kiosks of the visit ids that are stored already.
    var kiosksByVisit: [String: String]
    var history: PointHistory
    /// Members by code, from the feed or resolved by a call.
    var members: [[UInt8]: KnownMember]
  }

  /// A visit as it is to be stored.
  struct Taken: Sendable, Hashable {
    var visit: CheckedVisit
    var state: VisitState
    var reason: SetAsideReason
    /// Days since 1970-01-01, in China.
    var day: Int64
    var member: KnownMember?

    /// Whether it counts as a visit, not only as a report.
    var isCounted: Bool { state != .setAside && visit.direction == .arrival }
  }

  /// A visit that the kiosk is told was set aside.
  struct Notice: Sendable, Hashable {
    var sequence: Int64
    var reason: SetAsideReason
    var text: LocalizedText
  }

  /// In the order of their sequence; what was reported again under another number is left out.
  private(set) var taken: [Taken] = []
  private(set) var notices: [Notice] = []
  /// Acknowledged after this batch.
  private(set) var acknowledged: Int64
  /// Sequences that were acknowledged before.
  private(set) var replayed: [Int64] = []
  /// The first visit with others missing before it.
  private(set) var gap: Int64?

  init(
    _ visits: [CheckedVisit], of stream: KioskStream, facts: Facts, rules: VisitRules, now: Int64
  ) {
    acknowledged = facts.acknowledged
    var kiosks = facts.kiosksByVisit
    for visit in visits {
      if visit.sequence <= acknowledged {
        if visit.sequence <= facts.acknowledged { replayed.append(visit.sequence) }
        continue
      }
      guard visit.sequence == acknowledged + 1 else {
        gap = visit.sequence
        return
      }
      acknowledged = visit.sequence
      // The kiosk reports a visit that it reported before, under another number: from a spool that
      // was lost and restored. It was counted then.
      if kiosks[visit.id] == stream.kiosk { continue }
      let own = kiosks[visit.id] == nil ? visit : visit.withForeignID(of: stream)
      kiosks[own.id] = stream.kiosk
      take(own, facts: facts, rules: rules, now: now)
    }
  }

  private mutating func take(
    _ visit: CheckedVisit, facts: Facts, rules: VisitRules, now: Int64
  ) {
    let reason = rules.reasonToSetAside(visit, history: facts.history, now: now)
    let member = visit.codeSHA256.flatMap { facts.members[$0] }
    let state: VisitState =
      if reason != nil {
        .setAside
      } else if visit.codeSHA256 == nil {
        .anonymous
      } else {
        member == nil ? .unmatched : .matched
      }
    taken.append(
      Taken(
        visit: visit, state: state, reason: reason ?? .unspecified,
        day: rules.day(of: visit, reason: reason, now: now), member: member))
    if let reason {
      notices.append(
        Notice(
          sequence: visit.sequence, reason: reason, text: visit.fault ?? VisitRules.text(reason)))
    }
  }
}

/// What visits add to the counters of a point's day. Pure.
struct DayCount: Sendable, Hashable {
  var matched: Int64 = 0
  var unmatched: Int64 = 0
  var anonymous: Int64 = 0
  var uniqueMembers: Int64 = 0
  var setAside: Int64 = 0

  /// A member on a day: counted once however often it comes.
  struct MemberDay: Sendable, Hashable {
    var day: Int64
    var member: String
  }

  /// What a batch adds, by day, and the members that are new to their day.
  ///
  /// - Parameter known: The members that were there on those days already.
  static func of(
    _ taken: [VisitBatch.Taken], known: Set<MemberDay>
  ) -> (days: [Int64: DayCount], newMembers: [MemberDay]) {
    var days: [Int64: DayCount] = [:]
    var seen = known
    var newMembers: [MemberDay] = []
    for visit in taken {
      if visit.state == .setAside {
        days[visit.day, default: DayCount()].setAside += 1
      }
      guard visit.isCounted else { continue }
      switch visit.state {
      case .matched: days[visit.day, default: DayCount()].matched += 1
      case .unmatched: days[visit.day, default: DayCount()].unmatched += 1
      default: days[visit.day, default: DayCount()].anonymous += 1
      }
      guard let member = visit.member else { continue }
      let memberDay = MemberDay(day: visit.day, member: member.id)
      if seen.insert(memberDay).inserted {
        newMembers.append(memberDay)
        days[visit.day, default: DayCount()].uniqueMembers += 1
      }
    }
    return (days, newMembers)
  }
}
