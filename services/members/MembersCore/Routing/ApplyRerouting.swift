public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Moves members to the unions of rule 1 or 2 to which they belong, in one commit.
  public func applyRerouting(
    _ request: ApplyReroutingRequest, context: ServerContext
  ) async throws -> ApplyReroutingResponse {
    var payload = request
    payload.requestID = ""
    let caller = try context.caller
    let language = context.language
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    if request.members.isEmpty { checks.add([.required("members")]) }
    if request.members.count > Self.reroutedMax {
      checks.add(
        "members", "TOO_MANY",
        LocalizedText(
          zh: "一次最多 \(Self.reroutedMax) 人。", en: "At most \(Self.reroutedMax) members."))
    }
    let ids = request.members.prefix(Self.reroutedMax).enumerated().compactMap { index, name in
      checks.take { () throws(FieldFailure) in
        try ResourceName.parse(name, collection: "members", field: "members[\(index)]")
      }
    }
    try checks.check()
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
        let ids = found.map(\.known.member.id)
        return .read(all: ids.map(PoolCaseStore.open(of:))) { cases in
          .read(all: ids.map(TransferStore.open(of:))) { transfers in
            var commit = Commit(at: now)
            for (rerouted, open) in zip(found, zip(cases, transfers)) {
              guard scope.reaches(rerouted.receiver.organization) else {
                throw CommonFailure.outOfScope
              }
              let facts = MemberFacts(known: rerouted.known, poolCase: open.0, transfer: open.1)
              let placed = try commit.place(facts, in: rerouted.receiver.organization, by: act)
              commit.record(
                AuditEntry(
                  actor: act.actor, action: "members.reroute", target: "members/\(placed.id)"))
            }
            return .commit(commit, try response.wireBytes())
          }
        }
      }
    }
    return try ApplyReroutingResponse(wireBytes: reply)
  }
}
