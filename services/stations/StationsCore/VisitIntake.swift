import Foundation
import ServiceKit
import StationsV1
import Storage

/// The write of one batch of visits: reads, decision and commit.
///
/// Guards: the epoch's acknowledged sequence and the point's last number must be as read, so that
/// of two concurrent streams of a kiosk, or two kiosks of a point, one runs its decision again.
/// Besides, a visit's id is unique.
struct VisitIntake: Sendable {
  let stream: KioskStream
  let visits: [CheckedVisit]
  /// Members by code, as just resolved by yijia-members.
  let resolved: [[UInt8]: KnownMember]
  let rules: VisitRules
  let now: Date

  var step: Step<IntakeResult> {
    let codes = Set(visits.compactMap(\.codeSHA256)).sorted { $0.lexicographicallyPrecedes($1) }
    let ids = Set(visits.map(\.id)).sorted()
    return .read(
      KioskStore.byID(stream.kiosk),
      KioskStore.acknowledged(kiosk: stream.kiosk, epoch: stream.epoch),
      VisitStore.kiosks(ofVisits: ids), PointStore.history(stream.point),
      MemberCodeStore.members(of: codes)
    ) { kiosk, acknowledged, kiosks, history, known in
      try StationsService.check(kiosk, of: stream)
      let facts = VisitBatch.Facts(
        acknowledged: acknowledged ?? 0, kiosksByVisit: kiosks, history: history,
        members: known.merging(resolved) { fed, _ in fed })
      let batch = VisitBatch(
        visits, of: stream, facts: facts, rules: rules, now: now.microseconds)
      return try replays(of: batch) { notices in
        guard batch.acknowledged > facts.acknowledged else {
          return .reply(result(batch, notices: notices))
        }
        return store(batch, from: acknowledged, notices: notices)
      }
    }
  }

  /// Adds the notices of replayed visits that were set aside: the kiosk may not have got the first
  /// one.
  private func replays(
    of batch: VisitBatch,
    then next: @escaping @Sendable ([VisitBatch.Notice]) throws -> Step<IntakeResult>
  ) throws -> Step<IntakeResult> {
    guard let first = batch.replayed.min(), let last = batch.replayed.max() else {
      return try next([])
    }
    return .read(VisitStore.setAside(of: stream, sequences: first...last)) { found in
      let replayed = Set(batch.replayed)
      return try next(
        found.filter { replayed.contains($0.sequence) }.map {
          VisitBatch.Notice(
            sequence: $0.sequence, reason: $0.reason, text: VisitRules.text($0.reason))
        })
    }
  }

  private func store(
    _ batch: VisitBatch, from acknowledged: Int64?, notices: [VisitBatch.Notice]
  ) -> Step<IntakeResult> {
    let pairs = batch.taken.filter(\.isCounted).compactMap { taken in
      taken.member.map { DayCount.MemberDay(day: taken.day, member: $0.id) }
    }
    let departs = batch.taken.contains { $0.visit.direction == .departure }
    return .read(
      VisitStore.lastNumber(point: stream.point),
      StatisticsStore.known(pairs, point: stream.point),
      StayStore.all(point: departs ? stream.point : "")
    ) { last, knownPairs, stays in
      let commit = commit(
        batch, from: acknowledged, last: last, knownPairs: knownPairs, stays: stays)
      return .commit(commit, result(batch, notices: notices))
    }
  }

  private func commit(
    _ batch: VisitBatch, from acknowledged: Int64?, last: Int64,
    knownPairs: Set<DayCount.MemberDay>, stays: [Stay]
  ) -> Commit {
    let instant = now.microseconds
    let count = DayCount.of(batch.taken, known: knownPairs)
    let changes = StayChanges(batch.taken, stored: stays, rules: rules, now: instant)
    var commit = Commit(at: now)
    KioskStore.acknowledge(
      stream, from: acknowledged, to: batch.acknowledged, at: instant, in: &commit)
    VisitStore.insert(batch.taken, of: stream, after: last, at: instant, into: &commit)
    StatisticsStore.add(
      count.days, newMembers: count.newMembers, point: stream.point, in: &commit)
    // Stays are kept for a day beyond the longest stay, for departures that are reported late.
    StayStore.apply(
      changes, point: stream.point, dropBefore: instant - rules.stayMax - 86_400_000_000,
      in: &commit)
    for taken in batch.taken {
      guard let code = taken.visit.codeSHA256, let member = resolved[code] else { continue }
      MemberCodeStore.remember(member, code: code, in: &commit)
    }
    let range = "\(stream.epoch) \((acknowledged ?? 0) + 1)-\(batch.acknowledged)"
    commit.record(
      AuditEntry(
        actor: "kiosks/\(stream.kiosk)", action: "stations.report_visits",
        target: "points/\(stream.point)", detail: Array(range.utf8)))
    return commit
  }

  private func result(_ batch: VisitBatch, notices: [VisitBatch.Notice]) -> IntakeResult {
    IntakeResult(
      acknowledged: batch.acknowledged, notices: notices + batch.notices, gap: batch.gap,
      hasTaken: !batch.taken.isEmpty)
  }
}
