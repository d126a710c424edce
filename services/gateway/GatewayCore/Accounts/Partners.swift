import Foundation
public import GatewayV1
import GoogleProtobuf
public import RPC
import ServiceKit
import Storage

extension AccountsService {
  static let nameLength = 1...100

  /// Creates a partner, which has no key yet.
  public func createPartner(
    _ request: CreatePartnerRequest, context: ServerContext
  ) async throws -> CreatePartnerResponse {
    let caller = try administrator(context)
    let now = store.clock.now
    var checks = FieldChecks()
    let given = request.partner ?? Partner()
    let displayName = checks.text(
      given.displayName, "partner.display_name", length: Self.nameLength)
    let methods = checks.methods(given.methods, "partner.methods", known: methodPaths)
    let requestKey = checks.requestID(request.requestID)
    let requestID = try checks.finish(requestKey)
    let partner = StoredPartner(
      id: store.ids.next(), version: 1, displayName: displayName, state: .active,
      methods: methods, createdAt: now.microseconds, updatedAt: now.microseconds)
    var payload = request
    payload.requestID = ""
    return try await store.once(context, requestID: requestID, payload: payload, at: now) {
      var commit = Commit(at: now)
      PartnerStore.insert(partner, into: &commit)
      commit.record(
        AuditEntry(actor: caller.subject, action: "gateway.create_partner", target: partner.name))
      var response = CreatePartnerResponse()
      response.partner = partner.message
      return .commit(commit, response)
    }
  }

  /// Returns a partner.
  public func getPartner(
    _ request: GetPartnerRequest, context: ServerContext
  ) async throws -> GetPartnerResponse {
    _ = try administrator(context)
    var checks = FieldChecks()
    let given = checks.resource(request.name, of: "partners", "name")
    let partner = try await store.database.read(PartnerStore.byID(try checks.finish(given)))
    guard let partner else { throw AccountFailure.partnerNotFound }
    var response = GetPartnerResponse()
    response.partner = partner.message
    return response
  }

  /// Lists the partners of the store.
  public func listPartners(
    _ request: ListPartnersRequest, context: ServerContext
  ) async throws -> ListPartnersResponse {
    _ = try administrator(context)
    var checks = FieldChecks()
    let size = checks.pageSize(request.pageSize)
    try checks.finish()
    let (rows, next) = try await store.page(
      context, size: size, token: request.pageToken, id: \StoredPartner.id
    ) { PartnerStore.page(after: $0, limit: $1) }
    var response = ListPartnersResponse()
    response.partners = rows.map(\.message)
    response.nextPageToken = next
    return response
  }

  /// Changes a partner's display name or methods.
  public func updatePartner(
    _ request: UpdatePartnerRequest, context: ServerContext
  ) async throws -> UpdatePartnerResponse {
    var checks = FieldChecks()
    let given = request.partner ?? Partner()
    let paths = Set(request.updateMask?.paths ?? [])
    if paths.isEmpty { checks.fail("update_mask", "REQUIRED", zh: "必填。", en: "is required.") }
    if !paths.isSubset(of: ["display_name", "methods"]) {
      checks.fail(
        "update_mask", "INVALID_MASK", zh: "只能含 display_name、methods。",
        en: "may have display_name and methods only.")
    }
    if given.etag.isEmpty { checks.fail("partner.etag", "REQUIRED", zh: "必填。", en: "is required.") }
    var displayName: String?
    if paths.contains("display_name") {
      displayName = checks.text(
        given.displayName, "partner.display_name", length: Self.nameLength)
    }
    var methods: [String]?
    if paths.contains("methods") {
      methods = checks.methods(given.methods, "partner.methods", known: methodPaths)
    }
    let change = AccountChange<PartnerStore>(
      requestID: request.requestID, name: given.name, field: "partner.name",
      action: "update_partner")
    var payload = request
    payload.requestID = ""
    let (newName, newMethods) = (displayName, methods)
    return try await self.change(change, payload, checks, context) { partner, _ in
      try Etag.check(given.etag, partner.version)
      partner.displayName = newName ?? partner.displayName
      partner.methods = newMethods ?? partner.methods
    } reply: { partner in
      var response = UpdatePartnerResponse()
      response.partner = partner.message
      return response
    }
  }

  /// Disables a partner: none of its credentials is accepted.
  public func disablePartner(
    _ request: DisablePartnerRequest, context: ServerContext
  ) async throws -> DisablePartnerResponse {
    var checks = FieldChecks()
    let change = AccountChange<PartnerStore>(
      requestID: request.requestID, name: request.name, action: "disable_partner",
      reason: checks.reason(request.reason))
    var payload = request
    payload.requestID = ""
    return try await self.change(change, payload, checks, context) { partner, _ in
      partner.state = .disabled
    } reply: { partner in
      var response = DisablePartnerResponse()
      response.partner = partner.message
      return response
    }
  }

  /// Enables a disabled partner.
  public func enablePartner(
    _ request: EnablePartnerRequest, context: ServerContext
  ) async throws -> EnablePartnerResponse {
    var checks = FieldChecks()
    let change = AccountChange<PartnerStore>(
      requestID: request.requestID, name: request.name, action: "enable_partner",
      reason: checks.reason(request.reason))
    var payload = request
    payload.requestID = ""
    return try await self.change(change, payload, checks, context) { partner, _ in
      partner.state = .active
    } reply: { partner in
      var response = EnablePartnerResponse()
      response.partner = partner.message
      return response
    }
  }
}
