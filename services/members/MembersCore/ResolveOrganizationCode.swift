public import MembersV1
public import RPC
import ServiceKit
import Storage
import YijiaTypeV1

extension MembersService {
  /// Says which organization a scanned code belongs to.
  public func resolveOrganizationCode(
    _ request: ResolveOrganizationCodeRequest, context: ServerContext
  ) async throws -> ResolveOrganizationCodeResponse {
    let text = try OrganizationCodeText(scanned: request.text, signedBy: keys.codes)
    let (code, organization) = try await database.read(
      CodeStore.byID(text.id), OrganizationStore.byCode(text.id))
    // The signature is ours, so the code was: a store that lost it cannot vouch for it.
    guard let code, let organization else { throw MembersError.codeRevoked }
    try code.check(at: clock.microseconds)
    var response = ResolveOrganizationCodeResponse()
    response.code = code.message()
    var shown = organization.message
    // Whom a union covers is for staff.
    if try context.caller.kind != .staff { shown.employerCreditCodes = [] }
    response.organization = shown
    return response
  }
}
