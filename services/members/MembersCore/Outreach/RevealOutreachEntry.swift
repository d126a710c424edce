public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns a person's contact data. The audit entry is durable before they are returned.
  public func revealOutreachEntry(
    _ request: RevealOutreachEntryRequest, context: ServerContext
  ) async throws -> RevealOutreachEntryResponse {
    let caller = try context.caller
    var checks = FieldChecks()
    let id =
      checks.resource(request.name, of: "outreachEntries", "name") ?? ""
    let reason =
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(
          request.reason, field: "reason", characters: MemberOrder.reasonCharacters)
      } ?? ""
    try checks.check()
    let (now, keys) = (clock.now, keys)
    return try await database.write {
      .read(
        StaffScope.query(of: caller), OutreachStore.list(ofEntry: id), OutreachStore.entry(id)
      ) { scope, placed, entry in
        guard let placed, let entry, scope.holds(placed.path) else {
          throw MembersError.outreachNotFound
        }
        // A person who declined is not contacted again; members are revealed by RevealMember.
        guard entry.state != .declined, entry.state != .joined else {
          throw MembersError.outreachState
        }
        var commit = Commit(at: now)
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "outreachEntries.reveal",
            target: "outreachEntries/\(id)", reason: reason))
        var response = RevealOutreachEntryResponse()
        response.entry = entry.message
        response.contact = try keys.contact(of: entry)
        response.contact?.residentIDSHA256 = []
        return .commit(commit, response)
      }
    }
  }
}
