import Crypto
import Foundation
import MembersV1
import Protobuf
import ServiceKit
import Storage
import Synchronization

/// One comparison of a roster: many rows a read, in any number of tasks at a time.
final class RosterComparison: Sendable {
  /// Rows of one message: a read of some milliseconds.
  static let rowsMax = 4_096

  private let database: any Database
  private let keys: MembersKeys
  private let range: PathRange
  /// Whose staff compare; empty for administrators of the whole tree.
  private let quotaOf: String
  private let rowsPerDay: Int64
  private let now: Date
  /// Keeps who is no member; nil where nobody is kept.
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
    let hashes = rows.map(candidates)
    let members = try await database.read(
      RosterStore.members(with: Array(Set(hashes.joined()))))
    var results = RosterResults()
    results.results.reserveCapacity(rows.count)
    for (row, candidates) in zip(rows, hashes) {
      var result = RosterResult()
      result.row = row.row
      if let member = candidates.lazy.compactMap({ members[$0] }).first {
        result.verdict = try verdict(on: row, member)
      } else {
        result.verdict = candidates.isEmpty ? .invalid : .notMember
      }
      results.results.append(result)
    }
    let verdicts = results.results.map(\.verdict)
    let added = try await keep(rows, verdicts)
    tally.withLock { tally in
      for (row, verdict) in zip(rows, verdicts) { tally.add(row, verdict) }
      tally.added += added
    }
    return results
  }

  /// Keeps who is no member in the outreach list, before any verdict of the message leaves.
  private func keep(_ rows: [RosterRow], _ verdicts: [RosterVerdict]) async throws -> Int {
    guard let intake else { return 0 }
    let kept = zip(rows, verdicts).filter { $0.1 == .notMember }.map(\.0)
    return try await intake.keep(kept, kept.map(Self.digest))
  }

  /// SHA-256 of a row's normalized resident ID; a row that names nobody has another verdict.
  private static func digest(of row: RosterRow) -> [UInt8] {
    guard let id = try? ResidentID(checking: row.residentID, field: "resident_id") else {
      return row.residentIDSHA256
    }
    return Array(SHA256.hash(data: Array(id.text.utf8)))
  }

  /// What a row's person is found by; nothing where the row names nobody.
  private func candidates(of row: RosterRow) -> [[UInt8]] {
    if row.residentID.isEmpty {
      return keys.residentIDs.candidates(sha256: row.residentIDSHA256) ?? []
    }
    guard
      let id = try? ResidentID(checking: row.residentID, field: "resident_id")
    else { return [] }
    return keys.residentIDs.candidates(id.text)
  }

  private func verdict(on row: RosterRow, _ member: RosterMember) throws -> RosterVerdict {
    if !row.personName.isEmpty, let wrapped = member.wrappedKey {
      let key = try keys.cipher.personKey(wrapped, person: member.personID)
      let name = try key.openText(
        member.name, table: PersonStore.table, column: "person_name")
      let given = try? PersonName(checking: row.personName, field: "person_name").text
      if given != name { return .conflict }
    }
    return member.path.hasPrefix(range.first) ? .memberHere : .memberElsewhere
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

  /// What came out, with the units that no union covers.
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

/// Sums of a comparison; bounded whatever the roster says.
struct RosterTally: Sendable {
  /// Units that are kept apart: some 2 MB.
  private static let unitsMax = 10_000
  static let unitsShown = 1_000

  private(set) var counts: [RosterVerdict: Int64] = [:]
  private(set) var units: [String: RosterUnit] = [:]
  private(set) var isCut = false
  /// People who were kept.
  var added = 0

  mutating func add(_ row: RosterRow, _ verdict: RosterVerdict) {
    counts[verdict, default: 0] += 1
    guard verdict != .invalid,
      let unit = UnitIdentity(
        name: row.unitName, creditCode: row.unitCreditCode)
    else { return }
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
