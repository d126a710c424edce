import Foundation
import ServiceKit
import Storage

/// What the passing of days does: overdue cases of the pool and transfers go one level up,
/// transfers expire in the end.
///
/// Each is one write of its own that decides anew whether it is due: two replicas that see to the
/// same one do it once.
struct Deadlines: Sendable {
  /// Cases of one read: some milliseconds.
  private static let page = 500
  /// How the logs call the service where nobody asked.
  private static let actor = "services/members"

  let database: any Database
  let now: Date

  private var act: Act { Act(actor: Self.actor, now: now) }

  /// - Returns: How many things were due.
  /// - Throws: `StorageError`.
  func run() async throws -> Int {
    let day = act.day
    let cases = try await each({ PoolCaseStore.overdue(on: day, limit: $0) }, escalatePoolCase)
    // Twice, so that one that goes up long after its days expires in the same round.
    let first = try await each({ TransferStore.due(on: day, limit: $0) }, seeToTransfer)
    let second = try await each({ TransferStore.due(on: day, limit: $0) }, seeToTransfer)
    return cases + first + second
  }

  private func each(
    _ due: (Int) -> Query<[String]>, _ seeTo: (String) async throws -> Bool
  ) async throws -> Int {
    var done = 0
    while true {
      let page = try await database.read(due(Self.page))
      let before = done
      for id in page {
        try Task.checkCancellation()
        if try await seeTo(id) { done += 1 }
      }
      // Another replica may have been first with all of a page.
      guard page.count == Self.page, done > before else { return done }
    }
  }

  /// - Returns: Whether anything was due still.
  private func seeToTransfer(_ id: String) async throws -> Bool {
    let act = act
    return try await database.write {
      .read(TransferStore.byID(id)) { placed in
        guard let placed, let input = placed.transfer.progress.due(on: act.day) else {
          return .reply(false)
        }
        var commit = Commit(at: act.now)
        try commit.change(placed.transfer, input, by: act) {
          if input == .escalate { $0.handlerID = placed.aboveReceiverID ?? $0.handlerID }
        }
        let action = input == .escalate ? "transfers.escalate" : "transfers.expire"
        commit.record(AuditEntry(actor: act.actor, action: action, target: "transfers/\(id)"))
        return .commit(commit, true)
      }
    }
  }

  /// - Returns: Whether it was due still.
  private func escalatePoolCase(_ id: String) async throws -> Bool {
    let act = act
    return try await database.write {
      .read(PoolCaseStore.byID(id)) { placed in
        guard let placed, placed.poolCase.progress.isOverdue(on: act.day) else {
          return .reply(false)
        }
        var commit = Commit(at: act.now)
        try commit.change(placed.poolCase, .escalate, by: act) {
          $0.custodianID = placed.aboveCustodianID ?? $0.custodianID
        }
        commit.record(
          AuditEntry(actor: act.actor, action: "poolCases.escalate", target: "poolCases/\(id)"))
        return .commit(commit, true)
      }
    }
  }
}
