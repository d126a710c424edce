import Foundation
import MembersV1
import ServiceKit
import Storage

/// Adds people of a roster to an outreach list.
struct OutreachIntake: Sendable {
  /// The maximum number of people per list, because a list is closed in one commit.
  static let peopleMax = 100_000
  private static let addressCharactersMax = 200
  private static let unitCharactersMax = 100

  let database: any Database
  let keys: MembersKeys
  let ids: IDSource
  let listID: String
  let now: Date

  /// Adds those people who are not in the list yet, in one commit.
  ///
  /// - Parameter digests: The SHA-256 of the rows' normalized resident IDs.
  /// - Returns: The number of added people.
  /// - Throws: ``MembersError/outreachState`` if the list is closed, ``MembersError/outreachFull``.
  func keep(_ rows: [RosterRow], _ digests: [[UInt8]]) async throws -> Int {
    guard !rows.isEmpty else { return 0 }
    let (keys, listID, now) = (keys, listID, now)
    let day = ChinaDate(microseconds: now.microseconds).daysSinceEpoch
    let newIDs = rows.map { _ in ids.next() }
    let candidates = digests.map { keys.residentIDs.candidates(sha256: $0) ?? [] }
    return try await database.write {
      .read(
        OutreachStore.byID(listID),
        OutreachStore.known(Array(Set(candidates.joined())), in: listID)
      ) { placed, known in
        guard var list = placed?.list else { throw MembersError.outreachState }
        try list.apply(.add)
        var seen = known
        let hashKey = keys.residentIDs.currentKeyID
        var entries: [StoredOutreachEntry] = []
        for (index, row) in rows.enumerated() {
          guard seen.isDisjoint(with: candidates[index]),
            let entry = try keys.newEntry(
              id: newIDs[index], of: listID, Self.contact(of: row), digest: digests[index],
              day: day)
          else { continue }
          seen.formUnion(candidates[index])
          entries.append(entry)
        }
        guard !entries.isEmpty else { return .reply(0) }
        guard list.people + entries.count <= Self.peopleMax else {
          throw MembersError.outreachFull
        }
        var commit = Commit(at: now)
        try commit.refuseOutdated(hashKey: hashKey, sealed: entries[0].wrappedKey)
        OutreachStore.add(entries, to: list, into: &commit)
        return .commit(commit, entries.count)
      }
    }
  }

  /// Returns the valid contact data of a row; invalid ones are omitted.
  private static func contact(of row: RosterRow) -> OutreachContact {
    var contact = OutreachContact()
    contact.personName =
      (try? PersonName(checking: row.personName, field: "person_name").text) ?? ""
    contact.phone = (try? PhoneNumber(checking: row.phone, field: "phone").text) ?? ""
    contact.address =
      (try? PlainText.checked(
        row.address, field: "address", characters: 0...addressCharactersMax)) ?? ""
    contact.unitName =
      (try? PlainText.checked(
        row.unitName, field: "unit_name", characters: 0...unitCharactersMax)) ?? ""
    return contact
  }
}

/// Rewraps the keys of entries under the current key, and rehashes the resident IDs by which they
/// are found. Completed rows are skipped.
struct OutreachRenewal: Sendable {
  private static let page = 500

  let database: any Database
  let keys: MembersKeys
  let now: Date

  func run(report: TaskReport) async throws {
    var (after, done) = ("", 0)
    while true {
      let page = try await database.read(OutreachStore.page(after: after, limit: Self.page))
      guard let last = page.last else { return }
      var commit = Commit(at: now)
      for entry in page {
        let digest = try keys.contact(of: entry).residentIDSHA256
        let hashes = keys.residentIDs.candidates(sha256: digest) ?? [entry.hash]
        let older = hashes[hashes.count - 1]
        guard
          try keys.cipher.isOutdated(entry.wrappedKey)
            || (entry.hash, entry.olderHash) != (hashes[0], older)
        else { continue }
        // No row count is expected, because the entry may have been erased meanwhile.
        commit.run(
          "UPDATE outreach_entries SET hash = ?2, older_hash = ?3, wrapped_key = ?4 WHERE id = ?1",
          [
            entry.id, hashes[0], older,
            try keys.cipher.rewrapped(entry.wrappedKey, person: entry.id),
          ])
      }
      if !commit.statements.isEmpty { try await database.write(commit) }
      done += page.count
      try await report("outreach entries", done, 0)
      after = last.id
    }
  }
}
