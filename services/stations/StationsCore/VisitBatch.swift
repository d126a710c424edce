import MembersV1
import ServiceKit
import StationsV1

/// Turns a batch of reported visits and facts of the store into the visits to be stored. Pure.
///
/// A visit at or below the acknowledged sequence is a replay and has no effect. The next one is
/// accepted. Any higher one follows a gap: the visits before the gap are stored, then the stream is
/// refused.
struct VisitBatch: Sendable {
  /// Facts that were read in the snapshot of the write.
  struct Facts: Sendable {
    /// Highest acknowledged sequence of the epoch; 0 before the first visit.
    var acknowledged: Int64
    /// Kiosks by visit id, for ids that are stored already.
    var kiosksByVisit: [String: String]
    var history: PointHistory
    /// Members by code, from the feed or resolved by a call.
    var members: [[UInt8]: KnownMember]
  }

  /// A visit to be stored.
  struct Taken: Sendable, Hashable {
    var visit: CheckedVisit
    var state: VisitState
    var reason: SetAsideReason
    /// Days since 1970-01-01, in China.
    var day: Int64
    var member: KnownMember?

    /// Whether it counts as a visit: an arrival that was not set aside.
    var isCounted: Bool { state != .setAside && visit.direction == .arrival }
  }

  /// The notice to the kiosk that a visit was set aside.
  struct Notice: Sendable, Hashable {
    var sequence: Int64
    var reason: SetAsideReason
    var text: LocalizedText
  }

  /// The visits to store in order of their sequence, without those that were stored under another
  /// sequence before.
  private(set) var taken: [Taken] = []
  private(set) var notices: [Notice] = []
  /// The acknowledged sequence after this batch.
  private(set) var acknowledged: Int64
  /// Sequences that were acknowledged before this batch.
  private(set) var replayed: [Int64] = []
  /// Sequence of the first visit that is preceded by missing ones; nil without a gap.
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
      // The same visit under another sequence, from a spool that was lost and restored. It was
      // counted the first time.
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

/// The increments of a point's counters for a day. Pure.
struct DayCount: Sendable, Hashable {
  var matched: Int64 = 0
  var unmatched: Int64 = 0
  var anonymous: Int64 = 0
  var uniqueMembers: Int64 = 0
  var setAside: Int64 = 0

  /// A member on a day, who is counted once however many visits there are.
  struct MemberDay: Sendable, Hashable {
    var day: Int64
    var member: String
  }

  /// Returns the increments of a batch by day, and the members that are new on their day.
  ///
  /// - Parameter known: The members that are counted on those days already.
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
