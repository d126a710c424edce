import Foundation
import MembersV1
import ServiceKit
import StationsV1
import Storage

/// The effects of events of the members' feed: the tree of organizations, members by code, the
/// matching of visits that were stored before their member was known, and erased members.
struct MemberEvents: Sendable {
  /// Thrown where more visits wait for these codes than one commit may match.
  struct TooManyVisits: Error {}

  private let organizations: [OrganizationChanged]
  /// The last state that the events give for each code; `nil` for people who are not members any
  /// more.
  private var codes: [[UInt8]: KnownMember?]
  /// The record into which the record of each code is merged; `nil` for one that is not merged.
  private let survivors: [[UInt8]: String?]
  /// The last state that the events give for each record that is not merged, as in `codes`.
  private let records: [String: KnownMember?]
  /// Members whose personal data were erased.
  let erased: [ErasedMember]

  init(_ events: [WatchMemberEventsResponse]) {
    var organizations: [OrganizationChanged] = []
    var codes: [[UInt8]: KnownMember?] = [:]
    var survivors: [[UInt8]: String?] = [:]
    var records: [String: KnownMember?] = [:]
    var erased: [ErasedMember] = []
    for event in events {
      switch event.event {
      case .organizationChanged(let change)?: organizations.append(change)
      case .membershipChanged(let change)?:
        // Visits with the code of a merged record belong to the surviving record.
        let member = change.survivor.isEmpty ? change.member : change.survivor
        guard change.codeSHA256.count == 32, let id = Self.id(member, of: "members"),
          let own = Self.id(change.member, of: "members")
        else { continue }
        let isGone = change.erased || Self.gone.contains(change.state)
        let known = isGone ? nil : KnownMember(id: id, group: change.group)
        codes.updateValue(known, forKey: change.codeSHA256)
        survivors.updateValue(id == own || change.erased ? nil : id, forKey: change.codeSHA256)
        if id == own { records.updateValue(known, forKey: id) }
        if change.erased { erased.append(ErasedMember(id: own, code: change.codeSHA256)) }
      default: break
      }
    }
    self.organizations = organizations
    self.codes = codes
    self.survivors = survivors
    self.records = records
    self.erased = erased
  }

  /// States of people who are not members any more.
  private static let gone: [MembershipState] = [.left, .expelled, .deceased]

  /// Reads the codes of merged records whose survivors the events change, and continues with the
  /// events of those codes, too: they lead to the survivor while that is a member.
  private func withMerged(
    _ next: @escaping @Sendable (MemberEvents) throws -> Step<Int>
  ) -> Step<Int> {
    .read(MemberCodeStore.merged(into: records.keys.sorted())) { merged in
      var (all, events) = (merged, self)
      for (code, survivor) in survivors { all[code] = survivor }
      for (code, survivor) in all {
        if let known = records[survivor] { events.codes.updateValue(known, forKey: code) }
      }
      return try next(events)
    }
  }

  /// Members by code.
  private var members: [[UInt8]: KnownMember] { codes.compactMapValues { $0 } }

  /// Whether the events change the tree of organizations.
  var hasOrganizations: Bool { !organizations.isEmpty }

  /// Applies all effects in one commit.
  ///
  /// - Throws: ``TooManyVisits``, when the step runs.
  func step(at now: Date) -> Step<Int> {
    withMerged { events in
      .read(events.unmatched(limit: MembersFeed.visitsPerCommit + 1)) { visits in
        guard visits.count <= MembersFeed.visitsPerCommit else { throw TooManyVisits() }
        var commit = Commit(at: now)
        events.storeOrganizations(in: &commit)
        events.storeMembers(in: &commit)
        for member in events.erased { ErasedMemberStore.store(member, in: &commit) }
        return Self.match(visits, members: events.members, in: commit)
      }
    }
  }

  /// Stores the members, and matches as many visits as one commit may.
  func matchSome(at now: Date) -> Step<Int> {
    withMerged { events in
      .read(events.unmatched(limit: MembersFeed.visitsPerCommit)) { visits in
        var commit = Commit(at: now)
        events.storeMembers(in: &commit)
        return Self.match(visits, members: events.members, in: commit)
      }
    }
  }

  /// Matches visits that were stored concurrently with their code.
  static func matchLeftBehind(at now: Date) -> Step<Int> {
    .read(VisitStore.leftBehind(limit: MembersFeed.visitsPerCommit)) { visits in
      guard !visits.isEmpty else { return .reply(0) }
      return .read(MemberCodeStore.members(of: Array(Set(visits.map(\.code))))) { members in
        match(visits, members: members, in: Commit(at: now))
      }
    }
  }

  private func unmatched(limit: Int) -> Query<[VisitStore.Unmatched]> {
    VisitStore.unmatched(
      codes: members.keys.sorted { $0.lexicographicallyPrecedes($1) }, limit: limit)
  }

  private func storeOrganizations(in commit: inout Commit) {
    for change in organizations {
      guard let id = Self.id(change.organization, of: "organizations") else { continue }
      OrganizationStore.store(
        id, parent: Self.id(change.parent, of: "organizations") ?? "", state: change.state,
        in: &commit)
    }
  }

  private func storeMembers(in commit: inout Commit) {
    for (code, member) in members { MemberCodeStore.store(member, code: code, in: &commit) }
    MemberCodeStore.forget(codes.filter { $0.value == nil }.map(\.key), in: &commit)
    MemberCodeStore.storeSurvivors(survivors, in: &commit)
  }

  /// Matches visits to their members and updates the daily counters.
  private static func match(
    _ visits: [VisitStore.Unmatched], members: [[UInt8]: KnownMember], in commit: Commit
  ) -> Step<Int> {
    let points = Dictionary(grouping: visits, by: \.point).sorted { $0.key < $1.key }
    let queries = points.map { point, visits in
      StatisticsStore.known(memberDays(visits, members), point: point)
    }
    return .read(all: queries) { known in
      var commit = commit
      var matched = 0
      for ((point, visits), known) in zip(points, known) {
        var days: [Int64: DayCount] = [:]
        for visit in visits {
          guard let member = members[visit.code] else { continue }
          VisitStore.match(visit, to: member, in: &commit)
          matched += 1
          guard visit.direction == .arrival else { continue }
          days[visit.day, default: DayCount()].unmatched -= 1
          days[visit.day, default: DayCount()].matched += 1
        }
        let newMembers = Set(memberDays(visits, members)).subtracting(known)
          .sorted { ($0.day, $0.member) < ($1.day, $1.member) }
        for member in newMembers { days[member.day, default: DayCount()].uniqueMembers += 1 }
        StatisticsStore.add(days, newMembers: newMembers, point: point, in: &commit)
      }
      if matched > 0 {
        commit.record(
          AuditEntry(
            actor: "services/members", action: "stations.match_visits", target: "visits",
            detail: Array("\(matched)".utf8)))
      }
      return .commit(commit, matched)
    }
  }

  /// Returns the distinct member and day of each matched arrival, duplicates included.
  private static func memberDays(
    _ visits: [VisitStore.Unmatched], _ members: [[UInt8]: KnownMember]
  ) -> [DayCount.MemberDay] {
    visits.compactMap { visit in
      guard visit.direction == .arrival, let member = members[visit.code] else { return nil }
      return DayCount.MemberDay(day: visit.day, member: member.id)
    }
  }

  private static func id(_ name: String, of collection: String) -> String? {
    try? ResourceName.parse(name, collection: collection, field: collection)
  }
}
