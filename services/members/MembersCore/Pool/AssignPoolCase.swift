public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Assigns a waiting case to a union.
  public func assignPoolCase(
    _ request: AssignPoolCaseRequest, context: ServerContext
  ) async throws -> AssignPoolCaseResponse {
    var payload = request
    payload.requestID = ""
    let order = try PoolCaseOrder(
      context, requestID: request.requestID, name: request.name, receiver: request.receiver,
      etag: request.etag, payload: payload, at: clock.now)
    var response = AssignPoolCaseResponse()
    response.poolCase = try await assign(order)
    return response
  }

  /// Executes AssignPoolCase, or one row of a dispatch, which may be a dry run.
  func assign(_ order: PoolCaseOrder) async throws -> PoolCase {
    var reply: PoolCase = try await write(order, action: "poolCases.assign") { facts, commit in
      guard facts.placed.isKept(by: facts.scope) else { throw CommonFailure.outOfScope }
      guard let receiver = facts.receiver else { throw MembersError.organizationNotFound }
      try receiver.checkTakesMembers()
      let assigned = try commit.change(facts.placed.poolCase, .assign, by: order.act) {
        $0.receiverID = receiver.id
      }
      // The union is not dissolved meanwhile.
      commit.run(OrganizationStore.isActive(receiver.id))
      return facts.placed.message(assigned)
    }
    // No version of the case is stored.
    if order.isDryRun { reply.etag = "" }
    return reply
  }
}
