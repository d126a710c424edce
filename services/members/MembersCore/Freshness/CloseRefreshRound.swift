public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Closes a round; its records are unchanged.
  public func closeRefreshRound(
    _ request: CloseRefreshRoundRequest, context: ServerContext
  ) async throws -> CloseRefreshRoundResponse {
    var payload = request
    payload.requestID = ""
    let caller = try context.caller
    let now = clock.now
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    let id =
      checks.resource(request.name, of: "refreshRounds", "name") ?? ""
    try checks.check()
    let etag = request.etag
    let reply = try await writeOnce(
      requestID ?? "", payload: try payload.wireBytes(), at: now, context
    ) {
      .read(StaffScope.query(of: caller), RefreshStore.byID(id)) { scope, placed in
        guard let placed, scope.holds(placed.path) else {
          throw MembersError.refreshRoundNotFound
        }
        try Etag.check(etag, placed.round.version)
        var round = placed.round
        try round.apply(.close)
        var commit = Commit(at: now)
        commit.run(RefreshStore.close(round))
        commit.emit(try .changed(round))
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "refreshRounds.close",
            target: "refreshRounds/\(id)"))
        return .commit(commit, try round.message.wireBytes())
      }
    }
    return try .with { $0.round = try RefreshRound(wireBytes: reply) }
  }
}
