public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Records or revokes a title or an award of a member. Idempotent per source event.
  public func recordHonor(
    _ request: RecordHonorRequest, context: ServerContext
  ) async throws -> RecordHonorResponse {
    let caller = try context.caller
    let honor = try HonorOrder(request.honor ?? Honor()).honor
    let now = clock.now
    let stored = try await database.write {
      Step<StoredHonor>.read(
        HonorStore.byEvent(honor.sourceEvent), MemberStore.byID(honor.memberID)
      ) { known, member in
        guard member != nil else { throw MembersError.memberNotFound }
        var changed = honor
        if let known {
          changed.version = known.version + 1
          // A revocation is final, because an older event may arrive late.
          changed.isRevoked = known.isRevoked || honor.isRevoked
          var same = known
          (same.isRevoked, same.version) = (changed.isRevoked, changed.version)
          guard same == changed else { throw MembersError.honorConflict }
          guard known.isRevoked != changed.isRevoked else { return .reply(known) }
        }
        var commit = Commit(at: now)
        commit.run(HonorStore.set(changed))
        commit.record(
          AuditEntry(
            actor: caller.subject,
            action: changed.isRevoked ? "honors.revoke" : "honors.record",
            target: "members/\(changed.memberID)", detail: Array(changed.sourceEvent.utf8)))
        return .commit(commit, changed)
      }
    }
    return .with { $0.honor = stored.message }
  }
}

/// The validated honor of a request.
private struct HonorOrder: Sendable {
  let honor: StoredHonor

  init(_ raw: Honor) throws {
    var checks = FieldChecks()
    let member = checks.resource(raw.member, of: "members", "honor.member")
    let event = checks.take { () throws(FieldFailure) in
      try PlainText.checked(raw.sourceEvent, field: "honor.source_event", characters: 1...128)
    }
    let title = checks.take { () throws(FieldFailure) in
      try PlainText.checked(raw.title, field: "honor.title", characters: 2...100)
    }
    let day = checks.day(raw.date, "honor.date")
    if raw.date == nil { checks.add([.required("honor.date")]) }
    try checks.check()
    honor = StoredHonor(
      sourceEvent: event ?? "", memberID: member ?? "", title: title ?? "", day: day ?? 0,
      isRevoked: raw.revoked, version: 1)
  }
}
