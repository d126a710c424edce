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
    let round = StoredRound(
      id: ids.next(), organizationID: range.organizationID, openDay: today, dueDay: dueDay,
      isClosed: false, version: 1, created: now.microseconds)
    let reply = try await writeOnce(
      requestID ?? "", payload: try payload.wireBytes(), at: now, context
    ) {
      .read(RefreshStore.isTooLarge(range, firstFreshDay: firstFreshDay)) { isTooLarge in
        // Checked inside the ledger, so that a retry on a later day gets the first reply.
        guard dueDay >= today else {
          throw CommonFailure.invalidFields([.inPast("due_date")])
        }
        guard !isTooLarge else { throw MembersError.roundTooLarge }
        var commit = Commit(at: now)
        RefreshStore.open(
          round, of: range, firstFreshDay: firstFreshDay, into: &commit)
        commit.emit(try .changed(round))
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "refreshRounds.open",
            target: "refreshRounds/\(round.id)"))
        return .commit(commit, Array(round.id.utf8))
      }
    }
    let first = try await firstReply(
      String(decoding: reply, as: UTF8.self), requestID ?? "",
      payload: try payload.wireBytes(), at: now, context)
    return .with { $0.round = first }
  }

  /// Returns a new round as it was in the first reply, which the ledger keeps under a key of its
  /// own: the numbers of its records are known only after the commit that inserts them.
  private func firstReply(
    _ id: String, _ requestID: String, payload: [UInt8], at now: Date, _ context: ServerContext
  ) async throws -> RefreshRound {
    let caller = try context.caller
    let key = RequestKey(
      caller: caller.subject, method: "\(context.method.path)#reply", requestID: requestID)
    let ledger = keys.ledger
    let reply = try await database.write {
      ledger.once(key, payload: payload, at: now) {
        .read(
          StaffScope.query(of: caller), RefreshStore.byID(id), RefreshStore.counts(of: id)
        ) { scope, placed, counts in
          guard let placed, scope.holds(placed.path) else {
            throw MembersError.refreshRoundNotFound
          }
          return .reply(try placed.round.message(counts).wireBytes())
        }
      }
    }
    return try RefreshRound(wireBytes: reply)
  }
}
