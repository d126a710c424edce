import Foundation
import MembersV1
public import ServiceKit
public import Storage

extension MembersService: ServiceUpkeep {
  public var keyrings: [(name: String, ring: LiveKeyring)] { keys.rings }

  public var monthlyTables: [MonthlyTable] { [] }

  /// Returns the versions of organizations and members, of which the stations service keeps copies
  /// from the feed.
  public func currentVersions(of entities: [String]) -> Query<[String: Int64]> {
    let list = InList(entities.map { String($0.drop { $0 != "/" }.dropFirst()) })
    let sql = ["organizations", "memberships"].map { table in
      let collection = table == "memberships" ? "members" : table
      return """
        SELECT '\(collection)/' || id AS entity, version FROM \(table)
        WHERE id IN \(list.sql)
        """
    }
    return Query(sql.joined(separator: " UNION ALL "), list.arguments) { rows in
      try Dictionary(
        uniqueKeysWithValues: rows.map { (try $0.text("entity"), try $0.integer("version")) })
    }
  }

  public func renewKeys(report: TaskReport) async throws -> [KeyNeed] {
    try await PersonRenewal(database: database, keys: keys, now: clock.now).run(report: report)
    try await UnitRenewal(database: database, keys: keys, now: clock.now).run(report: report)
    try await OutreachRenewal(database: database, keys: keys, now: clock.now).run(report: report)
    var needs = try await database.ledgerNeeds(besides: keys.cipher.currentKeyID)
    let hashes = keys.hashRing.keyring
    guard let older = hashes.keys.dropLast().last else { return needs }
    let codes = try await database.read(
      CodeStore.inForce(createdBefore: hashes.current.created, at: clock.now))
    if codes > 0 {
      needs.append(
        KeyNeed(
          keyring: "hashes", key: older.id, rows: codes,
          reason: "organization codes in force, as printed; they end or are revoked"))
    }
    return needs
  }

  public func keepDeadlines() async throws -> Int {
    try await Deadlines(database: database, now: clock.now).run()
  }

  public func recount(report: TaskReport) async throws -> [String] {
    let counters = try await StatisticsCheck(
      database: database,
      today: ChinaDate(microseconds: clock.microseconds).daysSinceEpoch
    ).run(report: report)
    return counters + (try await MembershipLogCheck(database: database).run(report: report))
  }
}

/// Reseals persons' data keys under the current key, and rehashes the attributes by which they are
/// found.
///
/// Completed rows are skipped, so that an interrupted run can be repeated. Older hashes are kept
/// while they are looked up; the run that finds only one key in the ring deletes them.
struct PersonRenewal: Sendable {
  /// The number of persons per commit: some milliseconds, which barely delays other writers.
  private static let batch = 100
  private static let page = 1_000

  let database: any Database
  let keys: MembersKeys
  let now: Date

  func run(report: TaskReport) async throws {
    let total = try await database.read(
      Query<Int>.one(
        """
        SELECT CAST(coalesce(sum(members), 0) AS BIGINT) AS n FROM subtree_members
        WHERE organization_id = ''
        """
      ) { try $0.int("n") })
    var done = 0
    var after = ""
    while true {
      let page = try await database.read(PersonStore.page(after: after, limit: Self.page))
      let outdated = try page.filter { try isOutdated($0) }
      for start in stride(from: 0, to: outdated.count, by: Self.batch) {
        try Task.checkCancellation()
        try await renew(Array(outdated[start..<min(start + Self.batch, outdated.count)]))
      }
      done += page.count
      try await report("persons", done, max(total, done))
      guard page.count == Self.page, let last = page.last else { break }
      after = last.person.id
    }
    if keys.hashRing.keyring.keys.count == 1 { try await dropOlderHashes(report) }
  }

  private func isOutdated(_ stored: PersonStore.Keyed) throws -> Bool {
    guard let wrapped = stored.person.wrappedKey else { return false }
    return try keys.cipher.isOutdated(wrapped) || stored.hashKey != keys.residentIDs.currentKeyID
  }

  /// Renews the keys of persons. Guarded by the wrapped key that was read, so that a concurrent
  /// erasure is not undone.
  private func renew(_ persons: [PersonStore.Keyed]) async throws {
    let (keys, now) = (keys, now)
    let ids = persons.map(\.person.id)
    try await database.write {
      Step<Void>.read(all: ids.map(PersonStore.byID)) { found in
        var commit = Commit(at: now)
        for case let stored? in found {
          guard let wrapped = stored.person.wrappedKey else { continue }
          let data = try keys.personalData(of: stored.person)
          let hashes = try keys.hashes(of: data)
          let rewrapped = try keys.cipher.rewrapped(wrapped, person: stored.person.id)
          try commit.refuseOutdated(hashKey: hashes.key, sealed: rewrapped)
          PersonStore.insert(hashes, of: stored.person.id, into: &commit)
          commit.run(
            "UPDATE persons SET wrapped_key = ?2, hash_key = ?3 WHERE id = ?1 AND wrapped_key = ?4",
            [stored.person.id, rewrapped, Int64(hashes.key), wrapped], expects: .exactly(1))
        }
        return .commit(commit, ())
      }
    }
  }

  /// Deletes the hashes under keys other than the current one.
  private func dropOlderHashes(_ report: TaskReport) async throws {
    let current = Int64(keys.residentIDs.currentKeyID)
    let now = now
    var place = (hash: [UInt8](), place: "")
    var dropped = 0
    while true {
      let after = place
      let page = try await database.read(
        PersonStore.hashes(after: after.hash, after.place, limit: Self.page))
      let old = page.filter { $0.key < current }
      if !old.isEmpty {
        var commit = Commit(at: now)
        for hash in old {
          commit.run(
            "DELETE FROM person_hashes WHERE hash = ?1 AND place = ?2", [hash.hash, hash.place])
        }
        try await database.write(commit)
      }
      dropped += old.count
      try await report("older hashes", dropped, 0)
      guard page.count == Self.page, let last = page.last else { return }
      place = (last.hash, last.place)
    }
  }
}
