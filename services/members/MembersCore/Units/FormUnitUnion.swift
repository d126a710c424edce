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
      let moving = facts.members.filter {
        [.pooled, .active].contains($0.member.state)
          && $0.member.managingOrganizationID != unionID
      }
      for member in moving { _ = try commit.place(member, in: union, by: act) }
      return try .with {
        $0.unit = try keys.message(of: facts.unit)
        $0.membersMoved = Int64(moving.count)
      }
    }
  }
}

extension MembersService {
  /// Processes the whole queue of members to be counted.
  func foldUnits() async throws {
    let fold = UnitFold(database: database, keys: keys, ids: ids, now: clock.now)
    while try await fold.foldOnce() > 0 { try Task.checkCancellation() }
  }
}
