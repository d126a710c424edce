public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Founds an organization below one of the caller's subtree; another administrator must approve
  /// it.
  public func createOrganization(
    _ request: CreateOrganizationRequest, context: ServerContext
  ) async throws -> CreateOrganizationResponse {
    let caller = try context.caller
    let founding = try Founding(
      request, id: ids.next(), author: caller.subject, now: clock.microseconds)
    // The change applies to the parent, whose number of children increases.
    let order = founding.order
    var payload = request
    payload.requestID = ""
    do {
      let bytes = try await change(
        order, payload: try payload.wireBytes(), action: "create", context: context,
        isAbove: false
      ) { change, parent, _, _ in
        let draft = try founding.draft.placed(
          below: parent, field: "organization.region_code")
        return .read(
          OrganizationStore.byExternalID(draft.externalID),
          OrganizationStore.isClaimed(draft.employerCreditCodes, besides: draft.id)
        ) { known, isClaimed in
          guard known == nil else { throw MembersError.organizationConflict }
          guard !isClaimed else { throw MembersError.employerClaimed }
          var commit = Commit(at: change.now)
          OrganizationStore.insert(draft, below: parent, into: &commit)
          return try change.end(draft, commit)
        }
      }
      var response = CreateOrganizationResponse()
      response.organization = try Organization(wireBytes: bytes)
      return response
    } catch MembersError.organizationNotFound {
      throw MembersError.parentNotFound
    }
  }
}

/// The validated fields of a request.
private struct Founding: Sendable {
  /// The common fields, which name the parent.
  let order: OrganizationOrder
  let draft: StoredOrganization

  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every invalid field.
  init(
    _ request: CreateOrganizationRequest, id: String, author: String, now: Int64
  ) throws {
    var checks = FieldChecks()
    var raw = request.organization ?? Organization()
    order = OrganizationOrder(
      requestID: request.requestID, name: raw.parent, field: "organization.parent", &checks)
    let externalID =
      raw.externalID.isEmpty
      ? id
      : checks.take { () throws(FieldFailure) in
        try ExternalID.checked(raw.externalID, field: "organization.external_id")
      } ?? ""
    // Set by the approval.
    raw.openedDate = nil
    let fields = OrganizationFields(
      checking: raw, prefix: "organization.",
      today: ChinaDate(microseconds: now).daysSinceEpoch, &checks)
    try checks.check()
    draft = StoredOrganization(
      id: id, externalID: externalID, fields, state: .preparing, author: author, created: now)
  }
}
