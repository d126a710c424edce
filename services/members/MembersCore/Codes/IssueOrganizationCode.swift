public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  private static let dayMicroseconds: Int64 = 86_400_000_000

  /// Issues a code for an organization in the caller's subtree.
  public func issueOrganizationCode(
    _ request: IssueOrganizationCodeRequest, context: ServerContext
  ) async throws -> IssueOrganizationCodeResponse {
    let caller = try context.caller
    let order = try CodeOrder(request)
    let key = RequestKey(
      caller: caller.subject, method: context.method.path, requestID: order.requestID)
    var payload = request
    payload.requestID = ""
    let bytes = try payload.wireBytes()
    let now = clock.now
    let code = StoredCode(
      id: ids.next(), organizationID: order.organizationID, channel: order.channel,
      campaign: order.campaign,
      expires: now.microseconds + Int64(order.validDays) * Self.dayMicroseconds, revoked: nil,
      version: 1, created: now.microseconds, acceptsTransfers: request.acceptsTransfers)
    let ledger = keys.ledger
    let issued = try message(of: code).wireBytes()
    let reply = try await database.write {
      ledger.once(key, payload: bytes, at: now) {
        .read(
          StaffScope.query(of: caller), OrganizationStore.byID(order.organizationID)
        ) { scope, organization in
          guard let organization else { throw MembersError.organizationNotFound }
          guard scope.holds(organization.path) else { throw CommonFailure.outOfScope }
          guard organization.state == .active else { throw MembersError.organizationNotActive }
          var commit = Commit(at: now)
          commit.run(CodeStore.insert(code))
          commit.record(
            AuditEntry(
              actor: caller.subject, action: "organizations.issueCode",
              target: "organizationCodes/\(code.id)",
              detail: Array("organizations/\(organization.id)".utf8)))
          return .commit(commit, issued)
        }
      }
    }
    var response = IssueOrganizationCodeResponse()
    response.code = try OrganizationCode(wireBytes: reply)
    return response
  }
}

/// The validated fields of a request.
private struct CodeOrder: Sendable {
  static let normalDays: Int32 = 365
  static let mostDays: Int32 = 1_095

  let requestID: String
  let organizationID: String
  let channel: MembersV1.Channel
  let campaign: String
  let validDays: Int32

  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every invalid field.
  init(_ request: IssueOrganizationCodeRequest) throws {
    var checks = FieldChecks()
    requestID =
      checks.requestID(request.requestID) ?? ""
    organizationID =
      checks.resource(request.organization, of: "organizations", "organization") ?? ""
    channel = request.channel == .unspecified ? .qrScan : request.channel
    if !MembersV1.Channel.allCases.contains(channel) { checks.add([.invalidValue("channel")]) }
    campaign =
      checks.take { () throws(FieldFailure) in
        try Campaign.checked(request.campaign, field: "campaign")
      } ?? ""
    validDays = request.validDays == 0 ? Self.normalDays : request.validDays
    if !(1...Self.mostDays).contains(validDays) {
      checks.add(
        "valid_days", "OUT_OF_RANGE",
        LocalizedText(zh: "有效期应为 1 至 1095 天。", en: "must be 1 to 1,095."))
    }
    try checks.check()
  }
}
