public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Imports a tree and returns a result per row. Rows are stored in batches; a row waits for its
  /// parent and for earlier rows of the same organization.
  public func importOrganizations(
    _ requests: RequestStream<ImportOrganizationsRequest>,
    responses: ResponseWriter<ImportOrganizationsResponse>, context: ServerContext
  ) async throws {
    let caller = try context.caller
    let (language, fieldNames) = (context.language, context.fieldNames)
    let method = context.method.path
    let pipeline = RecordPipeline<ImportOrganizationsRequest, ImportOrganizationsResponse>(
      window: configuration.enrollmentsInFlight,
      order: { row in
        // Roots share one key, because a second root is accepted only after the first.
        let root = row.parentExternalID.isEmpty ? [""] : []
        return .init(
          own: [row.externalID] + root, needs: [row.externalID, row.parentExternalID])
      },
      answer: { request in
        var response = ImportOrganizationsResponse()
        response.row = request.row
        do {
          let organization = try await importRow(request, caller: caller, method: method)
          response.result = .organization(organization)
        } catch {
          guard let refusal = RecordError(error, in: language, fieldNames) else { throw error }
          response.result = .error(refusal)
        }
        return response
      })
    try await pipeline.run(requests, responses)
  }

  private func importRow(
    _ request: ImportOrganizationsRequest, caller: Caller, method: String
  ) async throws -> Organization {
    let now = clock.now
    let row = try OrganizationRow(
      request, id: ids.next(), author: caller.subject, now: now.microseconds)
    var payload = request
    payload.requestID = ""
    payload.row = 0
    let bytes = try payload.wireBytes()
    let key = RequestKey(caller: caller.subject, method: method, requestID: row.requestID)
    let ledger = keys.ledger
    let reply = try await database.write {
      ledger.once(key, payload: bytes, at: now) {
        .read(
          StaffScope.query(of: caller), OrganizationStore.byExternalID(row.draft.externalID),
          OrganizationStore.byExternalID(row.parentExternalID), OrganizationStore.isStarted,
          OrganizationStore.isClaimed(row.draft.employerCreditCodes, besides: row.draft.id)
        ) { scope, stored, parent, isStarted, isClaimed in
          let wanted = try row.wanted(scope: scope, parent: parent, isStarted: isStarted)
          // A repetition is answered before its region is checked: the table of regions may have
          // changed since the first time.
          if let stored, stored.hasContent(of: wanted) {
            return .reply(try stored.message.wireBytes())
          }
          let place = try row.placed(wanted, below: parent)
          guard stored == nil else { throw MembersError.organizationConflict }
          guard !isClaimed else { throw MembersError.employerClaimed }
          var commit = Commit(at: now)
          OrganizationStore.insert(place, below: parent, into: &commit)
          commit.emit(try .changed(place))
          commit.record(
            AuditEntry(
              actor: caller.subject, action: "organizations.import",
              target: "organizations/\(place.id)"))
          return .commit(commit, try place.message.wireBytes())
        }
      }
    }
    return try Organization(wireBytes: reply)
  }
}
