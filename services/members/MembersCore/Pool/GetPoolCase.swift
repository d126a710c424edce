public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns a case of which the caller has the pool, the custodian or the receiver in scope.
  public func getPoolCase(
    _ request: GetPoolCaseRequest, context: ServerContext
  ) async throws -> GetPoolCaseResponse {
    let caller = try context.caller
    let id = try ResourceName.parse(request.name, collection: "poolCases", field: "name")
    let (scope, placed) = try await database.read(
      StaffScope.query(of: caller), PoolCaseStore.byID(id))
    guard let placed, placed.isKept(by: scope) || placed.isReceived(by: scope) else {
      throw MembersError.poolCaseNotFound
    }
    var response = GetPoolCaseResponse()
    response.poolCase = placed.message(placed.poolCase)
    return response
  }
}
