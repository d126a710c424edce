public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Moves members to the unions of rule 1 or 2 that they belong to, in one commit.
  public func applyRerouting(
    _ request: ApplyReroutingRequest, context: ServerContext
  ) async throws -> ApplyReroutingResponse {
    var payload = request
    payload.requestID = ""
    let caller = try context.caller
    let language = context.language
    var failures = FieldFailures()
    let requestID = failures.take { () throws(FieldFailure) in
      try RequestID.parse(request.requestID)
    }
    if request.members.isEmpty { failures.add([.required("members")]) }
    if request.members.count > Self.reroutedMax {
      failures.add(
        "members", "TOO_MANY",
        LocalizedText(
          zh: "一次最多 \(Self.reroutedMax) 人。", en: "At most \(Self.reroutedMax) members."))
    }
    let ids = request.members.prefix(Self.reroutedMax).enumerated().compactMap { index, name in
      failures.take { () throws(FieldFailure) in
        try ResourceName.parse(name, collection: "members", field: "members[\(index)]")
      }
    }
    try failures.check()
    let (now, keys) = (clock.now, keys)
    let act = Act(actor: caller.subject, now: now)
    let reply = try await writeOnce(
      requestID ?? "", payload: try payload.wireBytes(), at: now, context
    ) {
      ReroutedMembers.step(ids, for: caller, keys: keys) { scope, found in
        let response = ApplyReroutingResponse.with {
          $0.reroutings = found.map { $0.message(in: language) }
        }
        guard !found.isEmpty else { return .reply(try response.wireBytes()) }
        return .read(all: found.map { PoolCaseStore.open(of: $0.known.member.id) }) { cases in
          var commit = Commit(at: now)
          for (rerouted, open) in zip(found, cases) {
            try rerouted.move(within: scope, closing: open, by: act, into: &commit)
          }
          return .commit(commit, try response.wireBytes())
        }
      }
    }
    return try ApplyReroutingResponse(wireBytes: reply)
  }
}

extension ReroutedMembers.Found {
  /// Moves the member, out of the pool too.
  ///
  /// - Throws: ``CommonFailure/outOfScope``.
  fileprivate func move(
    within scope: StaffScope, closing open: PlacedPoolCase?, by act: Act,
    into commit: inout Commit
  ) throws {
    guard scope.reaches(receiver.organization) else { throw CommonFailure.outOfScope }
    _ = try commit.change(known.member, .transfer, to: receiver.organization.id, by: act)
    if let open { try commit.change(open.poolCase, .close, by: act) }
    commit.record(
      AuditEntry(
        actor: act.actor, action: "members.reroute", target: "members/\(known.member.id)"))
  }
}
