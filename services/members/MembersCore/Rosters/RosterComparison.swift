import Crypto
import Foundation
import MembersV1
import Protobuf
import ServiceKit
import Storage
import Synchronization

/// A comparison of one roster, with one read for many rows. Safe to call from any number of tasks.
final class RosterComparison: Sendable {
  /// The maximum number of rows per message: a read of some milliseconds.
  static let rowsMax = 4_096

  private let database: any Database
  private let keys: MembersKeys
  private let range: PathRange
  /// The organization whose quota is used; empty for administrators of the whole tree.
  private let quotaOf: String
  private let rowsPerDay: Int64
  private let now: Date
  /// The outreach list for people who are not members; `nil` for none.
  private let intake: OutreachIntake?
  private let tally = Mutex(RosterTally())

  init(
    database: any Database, keys: MembersKeys, range: PathRange, quotaOf: String,
    rowsPerDay: Int64, now: Date, intake: OutreachIntake?
  ) {
    self.database = database
    self.keys = keys
    self.range = range
    self.quotaOf = quotaOf
    self.rowsPerDay = rowsPerDay
    self.now = now
    self.intake = intake
  }

  /// Compares the rows of one message.
  ///
  /// - Throws: `FieldFailure` for too many rows, ``MembersError/rosterQuota``.
  func compare(_ rows: [RosterRow]) async throws -> RosterResults {
    guard rows.count <= Self.rowsMax else {
      throw FieldFailure(
        field: "rows", reason: "TOO_MANY",
        text: LocalizedText(
          zh: "每条消息最多 \(Self.rowsMax) 行。", en: "At most \(Self.rowsMax) rows a message."))
    }
    guard !rows.isEmpty else { return RosterResults() }
    try await takeQuota(rows.count)
    let verdicts = try await verdicts(on: rows)
    var results = RosterResults()
    results.results.reserveCapacity(rows.count)
    for (row, verdict) in zip(rows, verdicts) {
      var result = RosterResult()
      result.row = row.row
      result.verdict = verdict
      results.results.append(result)
    }
    let added = try await keep(rows, verdicts)
    let units = RosterTally.units(of: rows)
    tally.withLock { tally in
      for (unit, verdict) in zip(units, verdicts) { tally.add(unit, verdict) }
      tally.added += added
    }
    return results
  }

  /// Adds people who are not members to the outreach list, before any verdict of the message is
  /// sent.
  private func keep(_ rows: [RosterRow], _ verdicts: [RosterVerdict]) async throws -> Int {
    guard let intake else { return 0 }
    let kept = zip(rows, verdicts).filter { $0.1 == .notMember }.map(\.0)
    return try await intake.keep(kept, kept.map(Self.digest))
  }

  /// Returns the SHA-256 of a row's normalized resident ID. Not called for rows without a valid
  /// one.
  private static func digest(of row: RosterRow) -> [UInt8] {
    guard let id = try? ResidentID(checking: row.residentID, field: "resident_id") else {
      return row.residentIDSHA256
    }
    return Array(SHA256.hash(data: Array(id.text.utf8)))
  }

  /// Returns the verdicts on the rows of a message, from one snapshot.
  private func verdicts(on rows: [RosterRow]) async throws -> [RosterVerdict] {
    let searches = rows.map { RosterSearch($0, keys) }
    let (findings, persons) = try await database.read(
      RosterStore.findings(on: searches, in: range),
      RosterStore.persons(with: searches.filter(\.mustBeOpened).flatMap(\.persons)))
    let person = { (search: RosterSearch) in
      search.persons.lazy.compactMap { persons[$0] }.first
    }
    let opened = try await openedNames(
      zip(searches, findings).compactMap { search, finding in
        search.mustBeOpened && finding != nil ? person(search) : nil
      })
    return zip(searches, findings).map { search, finding in
      guard let finding else { return search.persons.isEmpty ? .invalid : .notMember }
      let isNamed =
        search.mustBeOpened
        ? person(search).flatMap { opened[$0] }.map { $0 == search.name } ?? true
        : search.names.isEmpty || finding.isNamed
      guard isNamed, !search.isMisnamed else { return .conflict }
      return finding.isHere ? .memberHere : .memberElsewhere
    }
  }

  /// Returns the decrypted names of persons, without persons erased meanwhile.
  private func openedNames(_ ids: [String]) async throws -> [String: String] {
    guard !ids.isEmpty else { return [:] }
    return try await database.read(RosterStore.sealed(of: ids)).compactMapValues { person in
      guard !person.isErased else { return nil }
      return try keys.personKey(of: person).openText(
        person.name, table: PersonStore.table, column: "person_name")
    }
  }

  private func takeQuota(_ rows: Int) async throws {
    let (now, quotaOf, rowsPerDay) = (now, quotaOf, rowsPerDay)
    let day = ChinaDate(microseconds: now.microseconds).daysSinceEpoch
    try await database.write {
      .read(RosterStore.compared(by: quotaOf, on: day)) { compared in
        guard (compared ?? 0) + Int64(rows) <= rowsPerDay else { throw MembersError.rosterQuota }
        var commit = Commit(at: now)
        commit.run(
          RosterStore.take(Int64(rows), of: quotaOf, on: day, compared: compared))
        return .commit(commit, ())
      }
    }
  }

  /// Returns the summary, with the units that no union covers.
  func summary() async throws -> RosterSummary {
    let (counts, units, isCut, added) = tally.withLock {
      ($0.counts, $0.units, $0.isCut, $0.added)
    }
    let covered = try await database.read(
      RosterStore.covered(units.values.map(\.creditCode).filter { !$0.isEmpty }))
    var summary = RosterSummary()
    summary.counts = counts.sorted { $0.key.rawValue < $1.key.rawValue }.map { verdict, rows in
      .with {
        $0.verdict = verdict
        $0.rows = rows
      }
    }
    let bare = units.values.filter { $0.creditCode.isEmpty || !covered.contains($0.creditCode) }
    summary.units = Array(
      bare.sorted { ($1.rows, $0.creditCode, $0.name) < ($0.rows, $1.creditCode, $1.name) }
        .prefix(RosterTally.unitsShown))
    summary.unitsCut = isCut
    summary.outreachAdded = Int64(added)
    return summary
  }
}

/// The totals of a comparison; bounded for any roster.
struct RosterTally: Sendable {
  /// The maximum number of units counted separately: about 2 MB.
  private static let unitsMax = 10_000
  static let unitsShown = 1_000

  private(set) var counts: [RosterVerdict: Int64] = [:]
  private(set) var units: [String: RosterUnit] = [:]
  private(set) var isCut = false
  /// The number of people added to the outreach list.
  var added = 0

  /// Returns the units named by rows; each distinct name is normalized once.
  static func units(of rows: [RosterRow]) -> [UnitIdentity?] {
    var known: [[String]: UnitIdentity?] = [:]
    return rows.map { row in
      if row.unitName.isEmpty, row.unitCreditCode.isEmpty { return nil }
      let said = [row.unitName, row.unitCreditCode]
      if let unit = known[said] { return unit }
      let unit = UnitIdentity(name: row.unitName, creditCode: row.unitCreditCode)
      known[said] = unit
      return unit
    }
  }

  mutating func add(_ unit: UnitIdentity?, _ verdict: RosterVerdict) {
    counts[verdict, default: 0] += 1
    guard verdict != .invalid, let unit else { return }
    if units[unit.key] == nil {
      guard units.count < Self.unitsMax else {
        isCut = true
        return
      }
      units[unit.key] = .with {
        $0.name = unit.name
        $0.creditCode = unit.creditCode
      }
    }
    units[unit.key]?.rows += 1
    if verdict == .notMember { units[unit.key]?.notMembers += 1 }
  }
}
