public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Creates an empty list of people to contact.
  public func createOutreachList(
    _ request: CreateOutreachListRequest, context: ServerContext
  ) async throws -> CreateOutreachListResponse {
    var payload = request
    payload.requestID = ""
    let caller = try context.caller
    let now = clock.now
    let today = ChinaDate(microseconds: now.microseconds).daysSinceEpoch
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    let displayName =
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(request.displayName, field: "display_name", characters: 2...100)
      } ?? ""
    if request.means == .unspecified || !OutreachMeans.allCases.contains(request.means) {
      checks.add([.invalidValue("means")])
    }
    let dueDay = checks.day(request.dueDate, "due_date")
    try checks.check()
    let range = try await subtree(of: request.organization, for: caller, field: "organization")
    guard !range.organizationID.isEmpty else { throw FieldFailure.required("organization") }
    let list = StoredOutreachList(
      id: ids.next(), organizationID: range.organizationID, displayName: displayName,
      means: request.means, dueDay: dueDay, isClosed: false, people: 0, progress: [], version: 1,
      created: now.microseconds)
    let reply = try await writeOnce(
      requestID ?? "", payload: try payload.wireBytes(), at: now, context
    ) {
      // Checked inside the ledger, so that a retry on a later day gets the first reply.
      guard list.dueDay ?? today >= today else {
        throw CommonFailure.invalidFields([.inPast("due_date")])
      }
      var commit = Commit(at: now)
      commit.run(OutreachStore.insert(list))
      commit.emit(try .changed(list))
      commit.record(
        AuditEntry(
          actor: caller.subject, action: "outreachLists.create",
          target: "outreachLists/\(list.id)"))
      return .commit(commit, try list.message().wireBytes())
    }
    return try .with { $0.outreachList = try OutreachList(wireBytes: reply) }
  }
}
