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
    let (code, organization, member, transfer, scope) = try await database.read(
      CodeStore.byID(text.id), OrganizationStore.byCode(text.id),
      MemberStore.byID(caller.memberID), TransferStore.open(of: caller.memberID),
      StaffScope.query(of: caller))
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
      to: caller.scanner(
        member?.member, isMoving: transfer != nil, mayEnroll: scope.mayEnroll(by: organization),
        at: organization),
      state: organization.state, kind: organization.kind)
    return response
  }
}

extension Caller {
  /// The identifier of a calling member; empty for other callers.
  fileprivate var memberID: String {
    kind == .member ? String(subject.drop { $0 != "/" }.dropFirst()) : ""
  }

  fileprivate func scanner(
    _ member: StoredMember?, isMoving: Bool, mayEnroll: Bool,
    at organization: StoredOrganization
  ) -> CodeActions.Scanner {
    switch kind {
    case .member:
      .member(
        member?.state ?? .unspecified,
        isHere: member?.managingOrganizationID == organization.id, isMoving: isMoving)
    case .staff where staffRole.rawValue < StaffRole.clerk.rawValue || !mayEnroll: .looking
    default: .enrolling
    }
  }
}

extension StaffScope {
  /// Returns whether staff may enroll with an organization's code. That of a regional federation
  /// only starts the routing, which may lead into the scope if the federation is above it.
  fileprivate func mayEnroll(by organization: StoredOrganization) -> Bool {
    reaches(organization)
      || organization.kind == .regionalFederation && path?.hasPrefix(organization.path) == true
  }
}
