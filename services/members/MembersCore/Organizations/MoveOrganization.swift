public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Moves an organization with its subtree below another parent, atomically.
  ///
  /// The region of the organization may change along, as it must lie within the new parent's.
  /// Members and counters refer to organizations instead of paths, so they need no change. Services
  /// that keep ancestors need only the one event. Units of another township are counted afterwards.
  public func moveOrganization(
    _ request: MoveOrganizationRequest, context: ServerContext
  ) async throws -> MoveOrganizationResponse {
    var checks = FieldChecks()
    let order = OrganizationOrder(
      requestID: request.requestID, name: request.name, etag: request.etag, &checks)
    let parentID = checks.resource(request.parent, of: "organizations", "parent")
    let region =
      request.regionCode.isEmpty
      ? nil : OrganizationFields.regionCode(request.regionCode, "region_code", &checks)
    try checks.check()
    var payload = request
    payload.requestID = ""
    let bytes = try await change(
      order, payload: try payload.wireBytes(), action: "move", context: context,
      other: parentID ?? ""
    ) { change, organization, parent, scope in
      guard let parent else { throw MembersError.parentNotFound }
      guard scope.holds(parent.path) else { throw CommonFailure.outOfScope }
      var moving = organization
      _ = try moving.live(.change)
      guard !parent.path.hasPrefix(organization.path) else { throw MembersError.moveBelowItself }
      if parent.id == organization.parentID {
        guard region ?? organization.regionCode == organization.regionCode else {
          throw FieldFailure.invalidValue("region_code")
        }
        return try change.end(unchanged: organization, Commit(at: change.now))
      }
      moving.regionCode = region ?? organization.regionCode
      var after = try moving.placed(
        below: parent, field: region == nil ? "parent" : "region_code")
      after.version += 1
      return try Self.move(organization, to: after, below: parent, change)
    }
    var response = MoveOrganizationResponse()
    response.organization = try Organization(wireBytes: bytes)
    return response
  }

  private static func move(
    _ organization: StoredOrganization, to after: StoredOrganization,
    below parent: StoredOrganization, _ change: OrganizationChange
  ) throws -> Step<[UInt8]> {
    let range = PathRange(subtreeOf: organization.path)
    return .read(
      OrganizationStore.depth(of: range), UnitLevels.of(paths: [organization.path, after.path]),
      organization.child(outside: after.regionCode)
    ) { depth, levels, outside in
      if let outside { throw FieldFailure.regionTooSmall("region_code", without: outside) }
      let below = depth - organization.path.utf8.count / StoredOrganization.idCharacters
      let depthAfter = after.path.utf8.count / StoredOrganization.idCharacters + below
      guard depthAfter <= StoredOrganization.depthMax else { throw MembersError.treeTooDeep }
      var commit = Commit(at: change.now)
      commit.moveCounts(from: organization.path, to: after.path)
      // Units are counted by township. Members of a township within the subtree stay in it.
      if levels.township(of: organization.path) != levels.township(of: after.path)
        || organization.changesThreshold(in: after.regionCode)
      {
        UnitMoves.add(subtree: range, into: &commit)
      }
      OrganizationStore.move(organization, to: after, below: parent, into: &commit)
      return try change.end(
        after, previousParent: organization.parentID,
        detail:
          "organizations/\(organization.parentID ?? "") -> organizations/\(after.parentID ?? "")",
        commit)
    }
  }
}
