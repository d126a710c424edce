public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Founds an organization below one of the caller's subtree; another administrator approves it.
  public func createOrganization(
    _ request: CreateOrganizationRequest, context: ServerContext
  ) async throws -> CreateOrganizationResponse {
    let caller = try context.caller
    let founding = try Founding(
      request, id: ids.next(), author: caller.subject, now: clock.microseconds)
    // The parent is what the founding changes: it is one more below it.
    let order = founding.order
    var payload = request
    payload.requestID = ""
    do {
      let bytes = try await change(
        order, payload: try payload.wireBytes(), action: "create", context: context,
        isAbove: false
      ) { change, parent, _, _ in
        let draft = try founding.draft.placed(below: parent)
        return .read(OrganizationStore.byExternalID(draft.externalID)) { known in
          guard known == nil else { throw MembersError.organizationConflict }
          var commit = Commit(at: change.now)
          OrganizationStore.insert(draft, into: &commit)
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

/// A founding as it is asked for, checked.
private struct Founding: Sendable {
  /// Names the organization that it shall stand below.
  let order: OrganizationOrder
  let draft: StoredOrganization

  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every wrong field.
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
    // The day of its approval.
    raw.openedDate = nil
    let fields = OrganizationFields(
      checking: raw, prefix: "organization.",
      today: ChinaDate(microseconds: now).daysSinceEpoch, &checks)
    try checks.check()
    draft = StoredOrganization(
      id: id, externalID: externalID, fields, state: .preparing, author: author, created: now)
  }
}
