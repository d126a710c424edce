import Foundation
import MembersV1
import ServiceKit
import Storage

/// Rewraps units' keys under the current key, and rehashes the attributes by which they are found.
/// Completed rows are skipped.
struct UnitRenewal: Sendable {
  private static let page = 500

  let database: any Database
  let keys: MembersKeys
  let now: Date

  func run(report: TaskReport) async throws {
    var (after, done) = ("", 0)
    while true {
      let page = try await database.read(UnitStore.page(after: after, limit: Self.page))
      guard let last = page.last else { return }
      var commit = Commit(at: now)
      for unit in page {
        let said = try keys.message(of: unit)
        let identity = UnitIdentity(name: said.displayName, creditCode: said.creditCode)
        let hashes = identity.map { keys.units.candidates($0.key) } ?? [unit.hash]
        let older = hashes[hashes.count - 1]
        guard
          try keys.cipher.isOutdated(unit.wrappedKey)
            || (unit.hash, unit.olderHash) != (hashes[0], older)
        else { continue }
        commit.run(
          "UPDATE units SET hash = ?2, older_hash = ?3, wrapped_key = ?4 WHERE id = ?1",
          [unit.id, hashes[0], older, try keys.cipher.rewrapped(unit.wrappedKey, person: unit.id)],
          expects: .exactly(1))
      }
      if !commit.statements.isEmpty { try await database.write(commit) }
      done += page.count
      try await report("units", done, 0)
      after = last.id
    }
  }
}
