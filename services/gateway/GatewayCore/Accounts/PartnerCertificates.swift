public import GatewayV1
import GoogleProtobuf
import Protobuf
public import RPC
import ServiceKit
import Storage

extension AccountsService {
  /// Valid certificates per partner: several, so that they can be renewed.
  static let certificatesMax = 20

  /// Registers the identity of a certificate that authenticates a partner.
  public func createPartnerCertificate(
    _ request: CreatePartnerCertificateRequest, context: ServerContext
  ) async throws -> CreatePartnerCertificateResponse {
    let caller = try administrator(context)
    let now = store.clock.now
    var checks = FieldChecks()
    let given = request.certificate ?? PartnerCertificate()
    let displayName = checks.text(given.displayName, "certificate.display_name", length: 0...100)
    let methods = checks.methods(given.methods, "certificate.methods", known: methodPaths)
    let end = checks.end(given.expireTime, "certificate.expire_time", after: now.microseconds)
    let stated = checks.certificateIdentity(given.identity, "certificate.identity")
    let requestKey = checks.requestID(request.requestID)
    let owner = checks.resource(request.partner, of: "partners", "partner")
    let (requestID, partnerID, identity) = try checks.finish(requestKey, owner, stated)
    let certificate = StoredPartnerCertificate(
      id: store.ids.next(), partner: partnerID, displayName: displayName, identity: identity.text,
      sha256: identity.hash.bytes, methods: methods, createdAt: now.microseconds, expiresAt: end)
    var payload = request
    payload.requestID = ""
    return try await store.once(
      context, requestID: requestID, payload: payload, at: now, changes: ["partners/\(partnerID)"]
    ) {
      .read(
        PartnerStore.byID(partnerID),
        PartnerCertificateStore.table.holding(of: partnerID, at: now.microseconds),
        PartnerCertificateStore.byHash(identity.hash.bytes)
      ) { partner, holding, taken in
        guard let partner else { throw AccountFailure.partnerNotFound }
        guard taken == nil else { throw AccountFailure.certificateTaken }
        guard holding < Self.certificatesMax else {
          throw AccountFailure.tooManyCertificates(max: Self.certificatesMax)
        }
        var commit = Commit(at: now)
        PartnerStore.update(partner, at: now.microseconds, in: &commit)
        PartnerCertificateStore.insert(certificate, into: &commit)
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "gateway.create_partner_certificate",
            target: certificate.name, detail: Array(certificate.identity.utf8)))
        var response = CreatePartnerCertificateResponse()
        response.certificate = certificate.message
        return .commit(commit, response)
      }
    }
  }

  /// Lists the certificates of a partner.
  public func listPartnerCertificates(
    _ request: ListPartnerCertificatesRequest, context: ServerContext
  ) async throws -> ListPartnerCertificatesResponse {
    let (rows, next) = try await page(
      of: PartnerCertificateStore.table, partner: request.partner, size: request.pageSize,
      token: request.pageToken, context, id: \.id)
    var response = ListPartnerCertificatesResponse()
    response.certificates = rows.map(\.message)
    response.nextPageToken = next
    return response
  }

  /// Revokes a certificate, effective at once.
  public func revokePartnerCertificate(
    _ request: RevokePartnerCertificateRequest, context: ServerContext
  ) async throws -> RevokePartnerCertificateResponse {
    let caller = try administrator(context)
    let now = store.clock.now
    var checks = FieldChecks()
    let reason = checks.reason(request.reason)
    let requestKey = checks.requestID(request.requestID)
    let parts = checks.partOfPartner(request.name, of: "certificates")
    let (requestID, (partnerID, certificateID)) = try checks.finish(requestKey, parts)
    var payload = request
    payload.requestID = ""
    return try await store.once(
      context, requestID: requestID, payload: payload, at: now, changes: ["partners/\(partnerID)"]
    ) {
      .read(
        PartnerStore.byID(partnerID),
        PartnerCertificateStore.table.byID(certificateID, of: partnerID)
      ) { partner, certificate in
        guard let partner, var certificate else { throw AccountFailure.certificateNotFound }
        var response = RevokePartnerCertificateResponse()
        response.certificate = certificate.message
        // Revoking twice changes nothing.
        guard certificate.revokedAt == nil else { return .reply(response) }
        certificate.revokedAt = now.microseconds
        response.certificate = certificate.message
        var commit = Commit(at: now)
        PartnerStore.update(partner, at: now.microseconds, in: &commit)
        PartnerCertificateStore.revoke(certificate, in: &commit)
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "gateway.revoke_partner_certificate",
            target: certificate.name, reason: reason,
            detail: Array(certificate.identity.utf8)))
        return .commit(commit, response)
      }
    }
  }
}
