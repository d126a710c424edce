import MembersV1
import RPC
import ServiceKit

extension EnrollmentDecision {
  /// Checks the scanned code, if any.
  ///
  /// - Throws: ``MembersError/codeRevoked``, ``MembersError/codeExpired``,
  ///   ``MembersError/organizationNotActive``.
  func checkCode() throws {
    guard intake.application.organizationCodeID != nil else { return }
    // The signature is valid, but the store lost the code, so it can't tell whether it was revoked.
    guard let code = facts.code, let organization = facts.codeOrganization else {
      throw MembersError.codeRevoked
    }
    try code.check(at: intake.microseconds)
    guard organization.state == .active else { throw MembersError.organizationNotActive }
  }

  /// Returns the receiver: the organization of the scanned code, or else the one that the rules
  /// select. The code of a regional federation, which has no members of its own, determines only
  /// channel and campaign.
  ///
  /// - Throws: ``MembersError/noReceiver``.
  func receiver() throws -> Receiver {
    if let organization = facts.codeOrganization, organization.kind != .regionalFederation {
      let isPool = organization.kind == .holdingPool
      let setting = facts.regions.narrowest(of: organization.settingRegionCodes)
      return Receiver(
        organization: organization, route: isPool ? .holdingPool : .organizationCode,
        reason: LocalizedText(
          zh: "扫描组织码：\(organization.displayName)", en: "the scanned code's organization"),
        waitsForApproval: isPool && setting?.approveFirst == true)
    }
    let routing = Routing(
      application: intake.application.message, candidates: facts.candidates, settings: facts.regions
    )
    guard let receiver = routing.receiver() else { throw MembersError.noReceiver }
    return receiver
  }
}

/// Staff submit an application that an organization outside of their scope receives. It is named,
/// so that they know whom to ask: an organization's name is public, and which one it is follows
/// from the application alone, never from whether the person is known.
struct RoutedElsewhere: ServiceFailure {
  let receiver: StoredOrganization

  var code: RPCError.Code { CommonFailure.outOfScope.code }
  var reason: String { CommonFailure.outOfScope.reason }
  var text: LocalizedText {
    LocalizedText(
      zh: "该申请应由“\(receiver.displayName)”接收，不在您的管理范围内，请转交该组织。",
      en: "\(receiver.displayName) receives this application, which is outside the scope that you "
        + "may act in: pass it on to them.")
  }
}
