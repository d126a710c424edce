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
              let facts = MemberFacts(known: rerouted.known, poolCase: open.0, transfer: open.1)
              try commit.reroute(facts, to: rerouted.receiver.organization, in: scope, by: act)
            }
            return .commit(commit, try response.wireBytes())
          }
        }
      }
    }
    return try ApplyReroutingResponse(wireBytes: reply)
  }
}

extension Commit {
  /// Moves one member of a batch, with its audit entry.
  ///
  /// - Throws: ``RefusedRerouting``.
  fileprivate mutating func reroute(
    _ facts: MemberFacts, to receiver: StoredOrganization, in scope: StaffScope, by act: Act
  ) throws {
    do {
      guard scope.reaches(receiver) else { throw CommonFailure.outOfScope }
      let placed = try place(facts, in: receiver, by: act)
      record(
        AuditEntry(actor: act.actor, action: "members.reroute", target: "members/\(placed.id)"))
    } catch let cause as any ServiceFailure {
      throw RefusedRerouting(member: facts.member, receiver: receiver, cause: cause)
    }
  }
}

/// A batch is refused as a whole because of one member, whom it names, so that staff can leave that
/// member out.
struct RefusedRerouting: ServiceFailure {
  let member: StoredMember
  let receiver: StoredOrganization
  let cause: any ServiceFailure

  var code: RPCError.Code { cause.code }
  var reason: String { cause.reason }
  var metadata: [String: String] {
    let facts = [
      "member": "members/\(member.id)", "to_organization": "organizations/\(receiver.id)",
    ]
    return cause.metadata.merging(facts) { _, fact in fact }
  }
  var text: LocalizedText {
    LocalizedText(
      zh: "会员 \(member.number)（应转入“\(receiver.displayName)”）：\(cause.text.zh)",
      en: "Member \(member.number), who belongs to \(receiver.displayName): \(cause.text.en)")
  }
}
