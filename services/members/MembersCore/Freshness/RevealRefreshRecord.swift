public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns the name and phone number of a member whose record in an open round is not confirmed.
  /// The audit entry is durable before they are returned.
  public func revealRefreshRecord(
    _ request: RevealRefreshRecordRequest, context: ServerContext
  ) async throws -> RevealRefreshRecordResponse {
    let caller = try context.caller
    var checks = FieldChecks()
    let id = checks.resource(request.round, of: "refreshRounds", "round") ?? ""
    let member = checks.resource(request.member, of: "members", "member") ?? ""
    let reason =
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(
          request.reason, field: "reason", characters: MemberOrder.reasonCharacters)
      } ?? ""
    try checks.check()
    let (now, keys) = (clock.now, keys)
    return try await database.write {
      .read(
        StaffScope.query(of: caller), RefreshStore.byID(id), RefreshStore.record(of: id, member),
        MemberStore.byID(member)
      ) { scope, placed, record, known in
        guard var placed, let record, let known,
          scope.holds(placed.path) || scope.holds(known.managingPath)
        else { throw MembersError.refreshRoundNotFound }
        // A member who moved out of the caller's subtree is another union's to ask.
        guard scope.holds(known.managingPath), !known.person.isErased else {
          throw MembersError.memberNotFound
        }
        try placed.round.apply(.work)
        guard [.stale, .unreachable].contains(record.state) else {
          throw MembersError.refreshState
        }
        var commit = Commit(at: now)
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "refreshRecords.reveal", target: "members/\(member)",
            reason: reason))
        let data = try keys.personalData(of: known.person)
        var response = RevealRefreshRecordResponse()
        response.record = record.message
        response.personName = data.name
        response.phone = data.phone
        return .commit(commit, response)
      }
    }
  }
}
