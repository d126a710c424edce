public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Erases a person: destroys the data key and ends a live membership; a tombstone remains.
  public func erasePersonalData(
    _ request: ErasePersonalDataRequest, context: ServerContext
  ) async throws -> ErasePersonalDataResponse {
    if case .applicant? = try? context.caller.dataSubject(named: request.name) {
      return try await eraseApplicant(request, context: context)
    }
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try MemberOrder(
      context, requestID: request.requestID, name: request.name, reason: request.reason,
      payload: payload, at: clock.now, &checks)
    try checks.check()
    let keys = keys
    let bytes = try await database.write {
      keys.ledger.once(order.key, payload: order.payload, at: order.now) {
        order.read { facts in
          guard facts.member.state != .merged else { throw MembersError.membershipState }
          return .read(DuplicateStore.merged(into: facts.member.id)) { ids in
            let persons = ([facts.member.id] + ids).map(PersonStore.byID)
            return .read(all: persons) { stored in
              try keys.takeUp(hashKey: stored.compactMap { $0?.hashKey }.max() ?? 0)
              return PersonalDataStore.open(of: [facts.member.id] + ids) { open in
                if ids.isEmpty { return try facts.erased(with: [], open, order, keys) }
                return .read(all: ids.map(MemberStore.byID)) { merged in
                  try facts.erased(with: merged.compactMap { $0 }, open, order, keys)
                }
              }
            }
          }
        }
      }
    }
    return try ErasePersonalDataResponse(wireBytes: bytes)
  }
}

extension MemberFacts {
  /// - Parameters:
  ///   - merged: The records of the same person that are merged into this one.
  ///   - open: What is open for any of the records.
  fileprivate func erased(
    with merged: [KnownMember], _ open: OpenItems, _ order: MemberOrder, _ keys: MembersKeys
  ) throws -> Step<[UInt8]> {
    var commit = Commit(at: order.now)
    let ended = member.state.isLive ? try commit.end(self, .leave, by: order.act) : member
    let remaining = try commit.change(ended, .erase, by: order.act)
    for known in merged where !known.person.isErased {
      _ = try commit.change(known.member, .erase, survivorID: member.id, by: order.act)
    }
    for known in [known] + merged where !known.person.isErased {
      let hashes = try keys.hashes(of: try keys.personalData(of: known.person))
      try PersonalDataStore.erase(
        known.person, isMember: true, hashes: hashes, open: open, into: &commit)
    }
    commit.record(order.audit("members.erase", target: "members/\(member.id)"))
    var response = ErasePersonalDataResponse()
    response.membership = remaining.summary
    return .commit(commit, try response.wireBytes())
  }
}
