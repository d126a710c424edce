public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Dissolves an organization; on request its live members move to the pool in the same commit.
  public func dissolveOrganization(
    _ request: DissolveOrganizationRequest, context: ServerContext
  ) async throws -> DissolveOrganizationResponse {
    let order = try OrganizationOrder(
      requestID: request.requestID, name: request.name, etag: request.etag,
      reason: request.reason)
    var payload = request
    payload.requestID = ""
    let poolsMembers = request.poolMembers
    let bytes = try await change(
      order, payload: try payload.wireBytes(), action: "dissolve", context: context
    ) { change, organization, _, _ in
      let dissolution = Dissolution(organization: organization, change: change)
      return try dissolution.step(poolsMembers: poolsMembers)
    }
    return try DissolveOrganizationResponse(wireBytes: bytes)
  }
}

/// Undecided applications for the organization to be dissolved.
private struct WaitingApplications: ServiceFailure {
  let count: Int

  var code: RPCError.Code { .failedPrecondition }
  var reason: String { "ORGANIZATION_HAS_APPLICATIONS" }
  var metadata: [String: String] { ["applications": "\(count)"] }
  var text: LocalizedText {
    LocalizedText(
      zh: "还有 \(count) 份入会申请待该组织处理，请先处理。",
      en: "\(count) applications wait for it: approve, refuse or withdraw them first.")
  }
}

/// The dissolution of an organization.
private struct Dissolution: Sendable {
  let organization: StoredOrganization
  let change: OrganizationChange

  /// - Throws: ``MembersError`` for refusals, which store nothing.
  func step(poolsMembers: Bool) throws -> Step<[UInt8]> {
    var after = organization
    _ = try after.live(.dissolve)
    guard organization.childCount == 0 else { throw MembersError.organizationHasChildren }
    after.closedDay = change.today
    after.version += 1
    let dissolved = after
    return .read(
      CounterStore.liveMembers(of: organization.id), TransferStore.open(to: organization.id),
      EnrollmentStore.waiting(at: organization.id), UnitStore.formed(by: organization.id),
      UnitThresholds.current,
      PoolCaseStore.concerning(organization.id, limit: MembersMove.membersMax + 1)
    ) { count, transfers, waiting, units, thresholds, concerned in
      guard waiting == 0 else { throw WaitingApplications(count: waiting) }
      var commit = Commit(at: change.now)
      for open in transfers { try commit.change(open.transfer, .cancel, by: change.act) }
      guard concerned.count <= MembersMove.membersMax else { throw MembersError.tooManyMembers }
      try commit.releasePoolCases(concerned, of: organization, by: change.act)
      if !units.isEmpty { commit.run(thresholds.areStill) }
      for placed in units {
        var unit = placed.unit
        try unit.loseUnion(threshold: thresholds.threshold(in: placed.regionCode))
        try commit.changed(unit)
      }
      if count == 0 { return try end(dissolved, commit, pooled: 0, pool: nil) }
      guard poolsMembers else { throw MembersError.organizationHasMembers }
      guard count <= MembersMove.membersMax else { throw MembersError.tooManyMembers }
      return pooling(dissolved, commit)
    }
  }

  /// Moves the live members to the pool.
  private func pooling(_ dissolved: StoredOrganization, _ commit: Commit) -> Step<[UInt8]> {
    .read(
      MemberStore.live(in: organization.id, limit: MembersMove.membersMax + 1),
      OrganizationStore.pools(in: organization.poolRegions),
      PoolCaseStore.open(in: organization.id, limit: MembersMove.membersMax + 1)
    ) { members, pools, cases in
      guard members.count <= MembersMove.membersMax else { throw MembersError.tooManyMembers }
      guard let pool = organization.pool(among: pools) else { throw MembersError.noReceiver }
      return .read(PoolCaseStore.terms(of: pool)) { terms in
        var (commit, terms) = (commit, terms)
        // The region's custodian may be the organization itself.
        if terms.custodianID == organization.id { terms.custodianID = pool.parentID ?? pool.id }
        try MembersMove(
          members: members, cases: cases, from: organization, to: pool, terms: terms,
          // Retained and pooled members keep their states.
          input: { $0 == .active ? .pool : .update }
        ).store(by: change.act, into: &commit)
        return try end(dissolved, commit, pooled: members.count, pool: pool)
      }
    }
  }

  private func end(
    _ after: StoredOrganization, _ commit: Commit, pooled: Int, pool: StoredOrganization?
  ) throws -> Step<[UInt8]> {
    var commit = commit
    OrganizationStore.close(after, from: organization, into: &commit)
    commit.run(TransferStore.noneOpen(to: organization.id))
    commit.run(EnrollmentStore.noneWaiting(at: organization.id))
    commit.run(UnitStore.noneFormed(by: organization.id))
    for check in PoolCaseStore.noneConcerning(organization.id) { commit.run(check) }
    CounterStore.close(organization.id, into: &commit)
    let detail = pool.map { "\(pooled) members -> organizations/\($0.id)" } ?? ""
    return try change.end(after, detail: detail, commit).map { bytes in
      var response = DissolveOrganizationResponse()
      response.organization = try Organization(wireBytes: bytes)
      response.pooledMembers = Int64(pooled)
      response.pool = pool.map { "organizations/\($0.id)" } ?? ""
      return try response.wireBytes()
    }
  }
}

extension StoredOrganization {
  /// The regions whose pool may take the members: the county, then the city.
  var poolRegions: [String] {
    let code = regionCode.prefix(6)
    return [String(code), code.prefix(4) + "00"]
  }

  /// Returns the pool for the members of a dissolved organization: that of the county, or else of
  /// the city; of several, the one with the lowest id.
  func pool(among pools: [StoredOrganization]) -> StoredOrganization? {
    poolRegions.lazy.compactMap { region in
      pools.filter { $0.regionCode == region && $0.id != id }.min { $0.id < $1.id }
    }.first
  }
}
