import Foundation
import MembersV1
import ServiceKit
import Storage

/// Keeps people of a roster in an outreach list.
struct OutreachIntake: Sendable {
  /// People of one list: more are several lists. One list is closed in one commit.
  static let peopleMax = 100_000
  private static let addressCharactersMax = 200
  private static let unitCharactersMax = 100

  let database: any Database
  let keys: MembersKeys
  let ids: IDSource
  let listID: String
  let now: Date

  /// Adds those of the people who are not in the list, in one commit.
  ///
  /// - Parameter digests: SHA-256 of the rows' normalized resident IDs.
  /// - Returns: How many were added.
  /// - Throws: ``MembersError/outreachState`` where the list is closed,
  ///   ``MembersError/outreachFull``.
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
        guard let list = placed?.list, !list.isClosed else { throw MembersError.outreachState }
        var seen = known
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
        OutreachStore.add(entries, to: list, into: &commit)
        return .commit(commit, entries.count)
      }
    }
  }

  /// What of a row is good to contact the person; the rest is left out.
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

/// Wraps the keys of entries anew under the current key, and hashes what they are found by. What is
/// done is passed over.
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
        // One that is erased meanwhile stays so.
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
