public import MembersV1
public import RPC
import ServiceKit
import Storage
import YijiaTypeV1

extension MembersService {
  /// Says which organization a scanned code belongs to, and what the caller may do with it.
  public func resolveOrganizationCode(
    _ request: ResolveOrganizationCodeRequest, context: ServerContext
  ) async throws -> ResolveOrganizationCodeResponse {
    let caller = try context.caller
    let text = try OrganizationCodeText(scanned: request.text, signedBy: keys.codes)
    let (code, organization, member) = try await database.read(
      CodeStore.byID(text.id), OrganizationStore.byCode(text.id),
      MemberStore.byID(caller.memberID))
    // The signature is ours, so the code was: a store that lost it cannot vouch for it.
    guard let code, let organization else { throw MembersError.codeRevoked }
    try code.check(at: clock.microseconds)
    var response = ResolveOrganizationCodeResponse()
    response.code = code.message()
    var shown = organization.message
    // Whom a union covers is for staff.
    if caller.kind != .staff { shown.employerCreditCodes = [] }
    response.organization = shown
    response.actions = CodeActions.allowed(
      to: caller.scanner(member?.member, at: organization), state: organization.state,
      kind: organization.kind)
    return response
  }
}

extension Caller {
  /// Identifier of the member who calls; empty where nobody does.
  fileprivate var memberID: String {
    kind == .member ? String(subject.drop { $0 != "/" }.dropFirst()) : ""
  }

  fileprivate func scanner(
    _ member: StoredMember?, at organization: StoredOrganization
  ) -> CodeActions.Scanner {
    switch kind {
    case .member:
      .member(member?.state ?? .unspecified, isHere: member?.organizationID == organization.id)
    case .staff where staffRole.rawValue < StaffRole.clerk.rawValue: .looking
    default: .enrolling
    }
  }
}
