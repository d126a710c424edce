public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Revokes a code at once; a code revoked before is unchanged.
  public func revokeOrganizationCode(
    _ request: RevokeOrganizationCodeRequest, context: ServerContext
  ) async throws -> RevokeOrganizationCodeResponse {
    let caller = try context.caller
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    let id = checks.resource(request.name, of: "organizationCodes", "name")
    try checks.check()
    let key = RequestKey(
      caller: caller.subject, method: context.method.path, requestID: requestID ?? "")
    let reply = try await revoke(id ?? "", key: key, caller: caller)
    var response = RevokeOrganizationCodeResponse()
    response.code = try OrganizationCode(wireBytes: reply)
    return response
  }

  private func revoke(_ id: String, key: RequestKey, caller: Caller) async throws -> [UInt8] {
    let now = clock.now
    let keys = keys
    return try await database.write {
      keys.ledger.once(key, payload: Array(id.utf8), at: now) {
        .read(
          StaffScope.query(of: caller), CodeStore.byID(id), OrganizationStore.byCode(id)
        ) { scope, code, organization in
          guard var code, let organization else { throw MembersError.codeNotFound }
          guard scope.holds(organization.path) else { throw CommonFailure.outOfScope }
          var commit = Commit(at: now)
          if code.revoke(at: now.microseconds) {
            commit.run(CodeStore.revoke(code, at: now.microseconds))
          }
          commit.record(
            AuditEntry(
              actor: caller.subject, action: "organizations.revokeCode",
              target: "organizationCodes/\(id)"))
          return .commit(commit, try code.message().wireBytes())
        }
      }
    }
  }
}
