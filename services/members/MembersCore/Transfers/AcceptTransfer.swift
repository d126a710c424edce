public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Accepts a transfer: moves the member to the receiving union in one commit.
  public func acceptTransfer(
    _ request: AcceptTransferRequest, context: ServerContext
  ) async throws -> AcceptTransferResponse {
    var payload = request
    payload.requestID = ""
    let order = try TransferOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      payload: payload, at: clock.now)
    return try await write(order, action: "transfers.accept") { facts, commit in
      try facts.checkReceives()
      let from = facts.member.member.managingOrganizationID
      // Checked first, so that an ended transfer is reported as such.
      var progress = facts.placed.transfer.progress
      try progress.apply(.accept, on: order.act.day)
      let moved = try commit.move(facts.member, to: facts.receiver, by: order.act)
      let completed = try commit.change(facts.placed.transfer, .accept, by: order.act) {
        $0.fromID = from
      }
      var response = AcceptTransferResponse()
      response.transfer = facts.placed.message(completed)
      response.membership = moved.summary
      return response
    }
  }
}
