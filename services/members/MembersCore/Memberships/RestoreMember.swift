public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Reactivates a retained membership; in a pool, which keeps the members of a dissolved union, it
  /// is pooled, with a case.
  public func restoreMember(
    _ request: RestoreMemberRequest, context: ServerContext
  ) async throws -> RestoreMemberResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try MemberOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      reason: request.reason, payload: payload, at: clock.now, &checks)
    try checks.check()
    let ledger = keys.ledger
    let bytes = try await database.write {
      ledger.once(order.key, payload: order.payload, at: order.now) {
        order.read { facts in
          .read(OrganizationStore.byID(facts.member.managingOrganizationID)) { organization in
            guard let organization, organization.kind == .holdingPool else {
              return try facts.restored(on: nil, order)
            }
            return .read(PoolCaseStore.terms(of: organization)) { terms in
              try facts.restored(on: terms, order)
            }
          }
        }
      }
    }
    return try RestoreMemberResponse(wireBytes: bytes)
  }
}

extension MemberFacts {
  /// - Parameter terms: The terms of the pool that keeps the member; `nil` for a union. A
  ///   dissolution that moves the member to a pool meanwhile changes the member's version, which
  ///   guards the commit.
  fileprivate func restored(on terms: PoolTerms?, _ order: MemberOrder) throws -> Step<[UInt8]> {
    var commit = Commit(at: order.now)
    let restored = try commit.change(
      member, terms == nil ? .restore : .restoreToPool, by: order.act)
    if let terms { try commit.openPoolCases(of: [restored], on: terms, by: order.act) }
    commit.record(order.audit("members.restore", target: "members/\(order.memberID)"))
    var response = RestoreMemberResponse()
    response.membership = restored.summary
    return .commit(commit, try response.wireBytes())
  }
}
