import Foundation
import ServiceKit
import Storage

/// Processes deadlines: escalates overdue pool cases and transfers one level, and expires
/// transfers.
///
/// Each is a write of its own that checks again whether it is due, so that concurrent replicas
/// process it once.
struct Deadlines: Sendable {
  /// The maximum number of cases per read, which takes some milliseconds.
  private static let page = 500
  /// The actor of log entries that no caller caused.
  private static let actor = "services/members"

  let database: any Database
  let now: Date

  private var act: Act { Act(actor: Self.actor, now: now) }

  /// Processes everything that is due.
  ///
  /// - Returns: The number of processed cases and transfers.
  /// - Throws: `StorageError`.
  func run() async throws -> Int {
    let day = act.day
    let cases = try await each({ PoolCaseStore.overdue(on: day, limit: $0) }, escalatePoolCase)
    // Twice, so that a transfer escalated long after its due day expires in the same run.
    let first = try await each({ TransferStore.due(on: day, limit: $0) }, seeToTransfer)
    let second = try await each({ TransferStore.due(on: day, limit: $0) }, seeToTransfer)
    return cases + first + second
  }

  /// Processes all pages of a query; returns the number of items that were still due.
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
      // Ends if another replica has processed a whole page first.
      guard page.count == Self.page, done > before else { return done }
    }
  }

  /// Escalates or expires a transfer.
  ///
  /// - Returns: Whether it was still due.
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

  /// Escalates a pool case.
  ///
  /// - Returns: Whether it was still due.
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
