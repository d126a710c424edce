public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Records in a round that a member was not reached.
  public func markUnreachable(
    _ request: MarkUnreachableRequest, context: ServerContext
  ) async throws -> MarkUnreachableResponse {
    var payload = request
    payload.requestID = ""
    let caller = try context.caller
    let now = clock.now
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    let id =
      checks.resource(request.round, of: "refreshRounds", "round") ?? ""
    let member =
      checks.resource(request.member, of: "members", "member") ?? ""
    try checks.check()
    let day = ChinaDate(microseconds: now.microseconds).daysSinceEpoch
    let reply = try await writeOnce(
      requestID ?? "", payload: try payload.wireBytes(), at: now, context
    ) {
      .read(
        StaffScope.query(of: caller), RefreshStore.byID(id), RefreshStore.record(of: id, member),
        MemberStore.byID(member)
      ) { scope, placed, record, known in
        guard var placed, let record, let known,
          scope.holds(placed.path) || scope.holds(known.managingPath)
        else { throw MembersError.refreshRoundNotFound }
        try placed.round.apply(.work)
        var changed = record
        var progress = RefreshProgress(record.state)
        try progress.apply(.notReached)
        (changed.state, changed.day) = (progress.state, day)
        var commit = Commit(at: now)
        RefreshStore.set(changed, of: id, before: record.state, into: &commit)
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "refreshRounds.unreachable",
            target: "members/\(member)"))
        return .commit(commit, try changed.message.wireBytes())
      }
    }
    return try .with { $0.record = try RefreshRecord(wireBytes: reply) }
  }
}
