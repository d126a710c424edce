import Foundation
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Opens a round over the stale records of a subtree, or over all of them.
  public func openRefreshRound(
    _ request: OpenRefreshRoundRequest, context: ServerContext
  ) async throws -> OpenRefreshRoundResponse {
    var payload = request
    payload.requestID = ""
    let caller = try context.caller
    let now = clock.now
    let today = ChinaDate(microseconds: now.microseconds).daysSinceEpoch
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    let dueDay = checks.day(request.dueDate, "due_date") ?? today
    if request.dueDate == nil { checks.add([.required("due_date")]) }
    try checks.check()
    // With tomorrow as the first fresh day, records confirmed today are stale, too.
    let firstFreshDay = request.allRecords ? today + 1 : Freshness.firstFreshDay(on: today)
    let range = try await subtree(
      of: request.organization, for: caller, field: "organization")
    guard !range.organizationID.isEmpty else { throw FieldFailure.required("organization") }
    let id = ids.next()
    let reply = try await writeOnce(
      requestID ?? "", payload: try payload.wireBytes(), at: now, context
    ) {
      .read(RefreshStore.staleRecords(of: range, firstFreshDay: firstFreshDay)) { records in
        // Checked inside the ledger, so that a retry on a later day gets the first reply.
        guard dueDay >= today else {
          throw CommonFailure.invalidFields([.inPast("due_date")])
        }
        guard records <= RefreshStore.recordsMax else { throw MembersError.roundTooLarge }
        let round = StoredRound(
          id: id, organizationID: range.organizationID, openDay: today, dueDay: dueDay,
          isClosed: false, records: [.stale: records], version: 1, created: now.microseconds)
        var commit = Commit(at: now)
        RefreshStore.open(round, of: range, firstFreshDay: firstFreshDay, into: &commit)
        commit.emit(try .changed(round))
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "refreshRounds.open", target: "refreshRounds/\(id)"))
        return .commit(commit, try round.message.wireBytes())
      }
    }
    return try .with { $0.round = try RefreshRound(wireBytes: reply) }
  }
}
