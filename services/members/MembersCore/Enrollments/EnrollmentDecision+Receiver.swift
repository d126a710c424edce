import MembersV1
import ServiceKit

extension EnrollmentDecision {
  /// - Throws: ``MembersError/codeRevoked``, ``MembersError/codeExpired``,
  ///   ``MembersError/organizationNotActive``.
  func checkCode() throws {
    guard intake.application.organizationCodeID != nil else { return }
    // The signature is ours, so the code was: a store that lost it cannot vouch for it.
    guard let code = facts.code, let organization = facts.codeOrganization else {
      throw MembersError.codeRevoked
    }
    try code.check(at: intake.microseconds)
    guard organization.state == .active else { throw MembersError.organizationNotActive }
  }

  /// Who receives the person: the scanned code's organization, else whom the rules find. A regional
  /// federation has no members of its own: its code counts channel and campaign, and the rules
  /// route.
  ///
  /// - Throws: ``MembersError/noReceiver``.
  func receiver() throws -> Receiver {
    if let organization = facts.codeOrganization, organization.kind != .regionalFederation {
      let isPool = organization.kind == .holdingPool
      let setting = facts.regions.narrowest(of: organization.settingRegionCodes)
      return Receiver(
        organization: organization, route: isPool ? .holdingPool : .organizationCode,
        reason: LocalizedText(
          zh: "扫描组织码:\(organization.displayName)", en: "the scanned code's organization"),
        waitsForApproval: isPool && setting?.approveFirst == true)
    }
    let routing = Routing(
      application: intake.application.message, candidates: facts.candidates, settings: facts.regions
    )
    guard let receiver = routing.receiver() else { throw MembersError.noReceiver }
    return receiver
  }
}
