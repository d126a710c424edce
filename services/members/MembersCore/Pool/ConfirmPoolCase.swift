public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Confirms an assigned case: moves the member to the receiving union in the same commit.
  public func confirmPoolCase(
    _ request: ConfirmPoolCaseRequest, context: ServerContext
  ) async throws -> ConfirmPoolCaseResponse {
    var payload = request
    payload.requestID = ""
    let order = try PoolCaseOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      payload: payload, at: clock.now)
    return try await write(order, action: "poolCases.confirm") { facts, commit in
      let confirmed = try commit.change(facts.placed.poolCase, .confirm, by: order.act)
      guard facts.placed.isReceived(by: facts.scope) else { throw CommonFailure.outOfScope }
      guard let receiver = facts.receiver else { throw MembersError.organizationNotFound }
      try receiver.checkTakesMembers()
      var response = ConfirmPoolCaseResponse()
      response.poolCase = facts.placed.message(confirmed)
      let placed = try commit.change(facts.member, .place, to: receiver.id, by: order.act)
      try commit.settleTransfer(
        facts.transfer, of: placed.id, movedTo: receiver.id, by: order.act)
      response.membership = placed.summary
      return response
    }
  }
}
