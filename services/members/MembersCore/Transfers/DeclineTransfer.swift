public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Declines a transfer: the member stays in their union.
  public func declineTransfer(
    _ request: DeclineTransferRequest, context: ServerContext
  ) async throws -> DeclineTransferResponse {
    var payload = request
    payload.requestID = ""
    let order = try TransferOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      reason: request.reason, payload: payload, at: clock.now)
    return try await write(order, action: "transfers.decline") { facts, commit in
      try facts.checkReceives()
      var response = DeclineTransferResponse()
      response.transfer = facts.placed.message(
        try commit.change(facts.placed.transfer, .decline, by: order.act))
      return response
    }
  }
}
