public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Withdraws a transfer on the member's behalf.
  public func cancelTransfer(
    _ request: CancelTransferRequest, context: ServerContext
  ) async throws -> CancelTransferResponse {
    var payload = request
    payload.requestID = ""
    let order = try TransferOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      reason: request.reason, payload: payload, at: clock.now)
    return try await write(order, action: "transfers.cancel") { facts, commit in
      // The receiving side declines instead.
      guard facts.placed.isAsked(by: order.caller, facts.scope) else {
        throw CommonFailure.outOfScope
      }
      var response = CancelTransferResponse()
      response.transfer = facts.placed.message(
        try commit.change(facts.placed.transfer, .cancel, by: order.act))
      return response
    }
  }
}
