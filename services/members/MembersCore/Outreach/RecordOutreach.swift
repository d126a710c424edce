public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Records the outcome of contacting a person.
  public func recordOutreach(
    _ request: RecordOutreachRequest, context: ServerContext
  ) async throws -> RecordOutreachResponse {
    var payload = request
    payload.requestID = ""
    let caller = try context.caller
    let now = clock.now
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    let id =
      checks.resource(request.name, of: "outreachEntries", "name") ?? ""
    let note =
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(request.note, field: "note", characters: 0...200)
      } ?? ""
    let input = OutreachProgress.Input(request.state)
    if input == nil { checks.add([.invalidValue("state")]) }
    try checks.check()
    let etag = request.etag
    let day = ChinaDate(microseconds: now.microseconds).daysSinceEpoch
    let reply = try await writeOnce(
      requestID ?? "", payload: try payload.wireBytes(), at: now, context
    ) {
      .read(
        StaffScope.query(of: caller), OutreachStore.list(ofEntry: id), OutreachStore.entry(id)
      ) { scope, placed, entry in
        guard let placed, var entry, let input, scope.holds(placed.path) else {
          throw MembersError.outreachNotFound
        }
        try Etag.check(etag, entry.version)
        var progress = OutreachProgress(entry.state)
        try progress.apply(input)
        (entry.state, entry.day) = (progress.state, day)
        entry.version += 1
        var commit = Commit(at: now)
        commit.run(OutreachStore.update(entry))
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "outreachEntries.\(input.rawValue)",
            target: "outreachEntries/\(id)", reason: note))
        return .commit(commit, try entry.message.wireBytes())
      }
    }
    return try .with { $0.entry = try OutreachEntry(wireBytes: reply) }
  }
}
