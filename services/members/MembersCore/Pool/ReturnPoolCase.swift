public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns an assigned case to the pool, where it waits for another union.
  public func returnPoolCase(
    _ request: ReturnPoolCaseRequest, context: ServerContext
  ) async throws -> ReturnPoolCaseResponse {
    var payload = request
    payload.requestID = ""
    let order = try PoolCaseOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      reason: request.reason, payload: payload, at: clock.now)
    return try await write(order, action: "poolCases.return") { facts, commit in
      let returned = try commit.change(facts.placed.poolCase, .giveBack, by: order.act) {
        $0.receiverID = nil
      }
      var response = ReturnPoolCaseResponse()
      response.poolCase = facts.placed.message(returned)
      return response
    }
  }
}
