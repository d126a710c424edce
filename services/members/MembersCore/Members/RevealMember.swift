public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns a member's data in full. The audit entry is durable before the data are returned.
  ///
  /// The reply in the ledger is sealed under the person's key, so that erasure covers it.
  public func revealMember(
    _ request: RevealMemberRequest, context: ServerContext
  ) async throws -> RevealMemberResponse {
    let caller = try context.caller
    let (requestID, id, reason) = try checked(request)
    let key = RequestKey(
      caller: caller.subject, method: context.method.path, requestID: requestID)
    var payload = request
    payload.requestID = ""
    let bytes = try payload.wireBytes()
    let now = clock.now
    let keys = keys
    let sealed = try await database.write {
      keys.ledger.once(key, payload: bytes, at: now) {
        .read(StaffScope.query(of: caller), MemberStore.byID(id)) { scope, known in
          guard let known, scope.holds(known.managingPath), known.person.wrappedKey != nil else {
            throw MembersError.memberNotFound
          }
          var commit = Commit(at: now)
          commit.record(
            AuditEntry(
              actor: caller.subject, action: "members.reveal", target: "members/\(id)",
              reason: reason))
          return .commit(commit, try known.sealedReveal(keys))
        }
      }
    }
    return try await opened(sealed, memberID: id)
  }

  private func checked(
    _ request: RevealMemberRequest
  ) throws -> (requestID: String, memberID: String, reason: String) {
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    let memberID = checks.resource(request.name, of: "members", "name")
    let reason = checks.take { () throws(FieldFailure) in
      try PlainText.checked(
        request.reason, field: "reason", characters: MemberOrder.reasonCharacters)
    }
    return try checks.finish(requestID, memberID, reason)
  }

  /// - Throws: ``MembersError/memberNotFound`` if the person was erased after the first reply.
  private func opened(_ sealed: [UInt8], memberID: String) async throws -> RevealMemberResponse {
    guard let known = try await database.read(MemberStore.byID(memberID)),
      known.person.wrappedKey != nil
    else { throw MembersError.memberNotFound }
    let bytes = try keys.personKey(of: known.person)
      .open(sealed, table: MemberStore.table, column: "reveal")
    return try RevealMemberResponse(wireBytes: bytes)
  }
}

extension KnownMember {
  /// Returns the full data, sealed under the person's key.
  fileprivate func sealedReveal(_ keys: MembersKeys) throws -> [UInt8] {
    let key = try keys.personKey(of: person)
    let data = try keys.personalData(of: person)
    var response = RevealMemberResponse()
    response.name = "members/\(member.id)"
    response.personName = data.name
    response.residentID = data.residentID
    response.phone = data.phone
    return try key.seal(try response.wireBytes(), table: MemberStore.table, column: "reveal")
  }
}
