public import MembersV1
public import RPC
import ServiceKit
import Storage
import YijiaTypeV1

extension MembersService {
  /// Returns the organization of a scanned code, and the actions available to the caller.
  public func resolveOrganizationCode(
    _ request: ResolveOrganizationCodeRequest, context: ServerContext
  ) async throws -> ResolveOrganizationCodeResponse {
    let caller = try context.caller
    let text = try OrganizationCodeText(scanned: request.text, signedBy: keys.codes)
    let (code, organization, member) = try await database.read(
      CodeStore.byID(text.id), OrganizationStore.byCode(text.id),
      MemberStore.byID(caller.memberID))
    // The signature is valid, but the store lost the code, so it can't tell whether it was revoked.
    guard let code, let organization else { throw MembersError.codeRevoked }
    try code.check(at: clock.microseconds)
    var response = ResolveOrganizationCodeResponse()
    response.code = code.message()
    var shown = organization.message
    // Only staff see which employers a union covers.
    if caller.kind != .staff { shown.employerCreditCodes = [] }
    response.organization = shown
    response.actions = CodeActions.allowed(
      to: caller.scanner(member?.member, at: organization), state: organization.state,
      kind: organization.kind)
    return response
  }
}

extension Caller {
  /// The identifier of a calling member; empty for other callers.
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
