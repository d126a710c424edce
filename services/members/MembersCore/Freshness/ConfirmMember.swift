public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Records that a member's data are correct today.
  public func confirmMember(
    _ request: ConfirmMemberRequest, context: ServerContext
  ) async throws -> ConfirmMemberResponse {
    var payload = request
    payload.requestID = ""
    let caller = try context.caller
    let now = clock.now
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    let member =
      checks.take { () throws(FieldFailure) in try caller.member(named: request.name) } ?? ""
    try checks.check()
    let day = ChinaDate(microseconds: now.microseconds).daysSinceEpoch
    let reply = try await writeOnce(
      requestID ?? "", payload: try payload.wireBytes(), at: now, context
    ) {
      .read(StaffScope.query(of: caller), MemberStore.byID(member)) { scope, known in
        guard let known, !known.person.isErased, caller.actsFor(known, scope) else {
          throw MembersError.memberNotFound
        }
        guard known.member.state.isLive else { throw MembersError.membershipState }
        var commit = Commit(at: now)
        RefreshStore.confirm(member, on: day, into: &commit)
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "members.confirm", target: "members/\(member)"))
        return .commit(
          commit, try ConfirmMemberResponse.with { $0.confirmDate = .day(day) }.wireBytes())
      }
    }
    return try ConfirmMemberResponse(wireBytes: reply)
  }
}
