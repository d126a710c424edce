public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Records that a unit has a union, and moves its members there in the same commit.
  public func formUnitUnion(
    _ request: FormUnitUnionRequest, context: ServerContext
  ) async throws -> FormUnitUnionResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try UnitOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      payload: payload, at: clock.now, &checks)
    let union = checks.resource(request.union, of: "organizations", "union")
    try checks.check()
    // Includes members who joined since the last fold.
    try await foldUnits()
    let unionID = union ?? ""
    let keys = keys
    let act = Act(actor: order.caller.subject, now: order.now)
    return try await decide(order, .form, unionID: unionID, context) { facts, commit in
      guard let union = facts.union else { throw MembersError.organizationNotFound }
      guard facts.members.count <= Self.unitMembersMax else { throw MembersError.unitTooLarge }
      try union.checkTakesMembers()
      // A member's organization may have been moved elsewhere since the last fold.
      let moving = facts.members.filter {
        [.pooled, .active].contains($0.member.state)
          && $0.member.managingOrganizationID != unionID
          && $0.known.managingPath.hasPrefix(facts.path)
      }
      for member in moving { _ = try commit.place(member, in: union, by: act) }
      let places = Dictionary(
        moving.map { ($0.member.managingOrganizationID, $0.known.managingPath) }
      ) { first, _ in first }
      for (id, path) in places.sorted(by: { $0.key < $1.key }) {
        commit.run(OrganizationStore.isStill(id, at: path))
      }
      return try .with {
        $0.unit = try keys.message(of: facts.unit)
        $0.membersMoved = Int64(moving.count)
      }
    }
  }
}

extension MembersService {
  /// Processes the whole queues of moved organizations, of members to be counted, and of units to
  /// be reviewed.
  func foldUnits() async throws {
    while try await unitFold.foldOnce() > 0 { try Task.checkCancellation() }
  }

  /// Reviews all units that are due.
  func reviewUnits() async throws {
    while try await unitFold.review() > 0 { try Task.checkCancellation() }
  }

  private var unitFold: UnitFold {
    UnitFold(database: database, keys: keys, ids: ids, now: clock.now)
  }
}
