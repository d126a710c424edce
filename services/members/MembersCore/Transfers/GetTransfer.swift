public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns a transfer that concerns the caller.
  public func getTransfer(
    _ request: GetTransferRequest, context: ServerContext
  ) async throws -> GetTransferResponse {
    let caller = try context.caller
    let id = try ResourceName.parse(request.name, collection: "transfers", field: "name")
    let (scope, placed) = try await database.read(
      StaffScope.query(of: caller), TransferStore.byID(id))
    guard let placed, placed.isAsked(by: caller, scope) || scope.holds(placed.toPath) else {
      throw MembersError.transferNotFound
    }
    var response = GetTransferResponse()
    response.transfer = placed.message(placed.transfer)
    return response
  }
}
