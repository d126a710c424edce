public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns a report with destination and contact. The audit entry is durable before they are
  /// returned.
  public func revealAwayReport(
    _ request: RevealAwayReportRequest, context: ServerContext
  ) async throws -> RevealAwayReportResponse {
    let caller = try context.caller
    var checks = FieldChecks()
    let id =
      checks.resource(request.name, of: "awayReports", "name") ?? ""
    let reason =
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(
          request.reason, field: "reason", characters: MemberOrder.reasonCharacters)
      } ?? ""
    try checks.check()
    let (now, keys) = (clock.now, keys)
    return try await database.write {
      .read(
        StaffScope.query(of: caller), AwayStore.byID(id), AwayStore.person(of: id)
      ) { scope, placed, person in
        guard let placed, let person, !person.isErased, placed.isVisible(to: caller, scope) else {
          throw MembersError.awayReportNotFound
        }
        var commit = Commit(at: now)
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "awayReports.reveal", target: "awayReports/\(id)",
            reason: reason))
        var response = RevealAwayReportResponse()
        response.report = placed.report.message
        response.details = try AwayDetails(
          wireBytes: try keys.personKey(of: person).open(
            placed.report.details, table: AwayStore.table, column: "details"))
        return .commit(commit, response)
      }
    }
  }
}
