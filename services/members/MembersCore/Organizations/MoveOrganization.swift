public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Moves an organization with its subtree below another parent, atomically.
  ///
  /// Members and counters refer to organizations instead of paths, so they need no change. Services
  /// that keep ancestors need only the one event. Units of another township are counted afterwards.
  public func moveOrganization(
    _ request: MoveOrganizationRequest, context: ServerContext
  ) async throws -> MoveOrganizationResponse {
    var checks = FieldChecks()
    let order = OrganizationOrder(
      requestID: request.requestID, name: request.name, etag: request.etag, &checks)
    let parentID = checks.resource(request.parent, of: "organizations", "parent")
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
        return try change.end(unchanged: organization, Commit(at: change.now))
      }
      var after = try moving.placed(below: parent)
      after.version += 1
      return try Self.move(organization, to: after, change)
    }
    var response = MoveOrganizationResponse()
    response.organization = try Organization(wireBytes: bytes)
    return response
  }

  private static func move(
    _ organization: StoredOrganization, to after: StoredOrganization, _ change: OrganizationChange
  ) throws -> Step<[UInt8]> {
    let range = PathRange(subtreeOf: organization.path)
    return .read(
      OrganizationStore.depth(of: range), UnitLevels.of(paths: [organization.path, after.path])
    ) { depth, levels in
      let below = depth - organization.path.utf8.count / StoredOrganization.idCharacters
      let depthAfter = after.path.utf8.count / StoredOrganization.idCharacters + below
      guard depthAfter <= StoredOrganization.depthMax else { throw MembersError.treeTooDeep }
      var commit = Commit(at: change.now)
      commit.moveCounts(from: organization.path, to: after.path)
      // Units are counted by township. Members of a township within the subtree stay in it.
      if levels.township(of: organization.path) != levels.township(of: after.path) {
        UnitMoves.add(subtree: range, into: &commit)
      }
      OrganizationStore.move(organization, to: after, into: &commit)
      return try change.end(
        after, previousParent: organization.parentID,
        detail:
          "organizations/\(organization.parentID ?? "") -> organizations/\(after.parentID ?? "")",
        commit)
    }
  }
}
